# LibTorch: the target LavoisierTorch::torch.
#
# A Torch on CMAKE_PREFIX_PATH (a pip torch: python3 -c 'import torch; print(torch.utils.cmake_prefix_path)') comes
# first and is used through its own config. Debian's libtorch-dev is taken as headers and libraries: its config looks for
# gflags, glog and protobuf development files that a user of the libraries doesn't need, and asks for C++14.
if(TARGET LavoisierTorch::torch)
  return()
endif()
find_package(Torch CONFIG QUIET NO_SYSTEM_ENVIRONMENT_PATH NO_CMAKE_SYSTEM_PATH NO_CMAKE_PACKAGE_REGISTRY)
include(FindPackageHandleStandardArgs)
if(Torch_FOUND)
  set(LavoisierTorch_LIBRARY "${TORCH_LIBRARIES}")
  set(LavoisierTorch_VERSION "${Torch_VERSION}")
  find_package_handle_standard_args(LavoisierTorch REQUIRED_VARS LavoisierTorch_LIBRARY
    VERSION_VAR LavoisierTorch_VERSION)
  add_library(LavoisierTorch::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(LavoisierTorch::torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(LavoisierTorch::torch INTERFACE ${TORCH_LIBRARIES})
else()
  find_path(LavoisierTorch_INCLUDE torch/library.h)
  find_path(LavoisierTorch_API_INCLUDE torch/torch.h HINTS "${LavoisierTorch_INCLUDE}"
    PATH_SUFFIXES torch/csrc/api/include)
  find_library(LavoisierTorch_LIBRARY torch)
  find_library(LavoisierTorch_CPU_LIBRARY torch_cpu)
  find_library(LavoisierTorch_C10_LIBRARY c10)
  find_library(LavoisierTorch_GLOG_LIBRARY glog)
  mark_as_advanced(LavoisierTorch_INCLUDE LavoisierTorch_API_INCLUDE LavoisierTorch_LIBRARY LavoisierTorch_CPU_LIBRARY
    LavoisierTorch_C10_LIBRARY LavoisierTorch_GLOG_LIBRARY)
  find_package_handle_standard_args(LavoisierTorch REQUIRED_VARS LavoisierTorch_LIBRARY LavoisierTorch_CPU_LIBRARY
    LavoisierTorch_C10_LIBRARY LavoisierTorch_INCLUDE LavoisierTorch_API_INCLUDE)
  if(LavoisierTorch_FOUND)
    add_library(LavoisierTorch::torch INTERFACE IMPORTED GLOBAL)
    target_include_directories(LavoisierTorch::torch SYSTEM INTERFACE
      "${LavoisierTorch_INCLUDE}" "${LavoisierTorch_API_INCLUDE}")
    target_link_libraries(LavoisierTorch::torch INTERFACE
      "${LavoisierTorch_LIBRARY}" "${LavoisierTorch_CPU_LIBRARY}" "${LavoisierTorch_C10_LIBRARY}")
    if(LavoisierTorch_GLOG_LIBRARY)
      target_link_libraries(LavoisierTorch::torch INTERFACE "${LavoisierTorch_GLOG_LIBRARY}")
    endif()
  endif()
endif()
