# lavoisier_add_library and lavoisier_add_test: what every folder's CMakeLists.txt is written with.
set(LAVOISIER_EXPORTS "${PROJECT_SOURCE_DIR}/cmake/exports.map")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

find_program(LAVOISIER_CCACHE ccache)
mark_as_advanced(LAVOISIER_CCACHE)
if(LAVOISIER_CCACHE)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${LAVOISIER_CCACHE}")
    endif()
  endforeach()
endif()

# What every translation unit of the project is compiled with. A product and a sum are never contracted into one
# rounding: values must not depend on what the compiler finds.
add_library(lavoisier_options INTERFACE)
target_compile_options(lavoisier_options INTERFACE
  -ffp-contract=off
  -Wall -Wextra -Wpedantic -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<BOOL:${LAVOISIER_WARNINGS_AS_ERRORS}>:-Werror>)
# GCC 12 sees overlapping and overflowing copies in plain uses of std::string and std::vector (its bugs 105329, 105651
# and relatives); later releases don't.
if(LAVOISIER_WARNINGS_AS_ERRORS AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(lavoisier_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread>)
endif()
if(LAVOISIER_SANITIZE)
  target_compile_options(lavoisier_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  target_link_options(lavoisier_options INTERFACE -fsanitize=address,undefined)
endif()

# data and plugin are what a host links. They are shared libraries with a Kokkos that is shared (two copies of a static
# Kokkos in one process would each have a state of their own), and static with one that is not.
set(LAVOISIER_HOST_TARGETS data plugin plugin_mpi)
function(lavoisier_host_library_type out)
  if(NOT DEFINED LAVOISIER_HOST_TYPE)
    if(EXISTS "${PROJECT_SOURCE_DIR}/plugin/CMakeLists.txt")
      lavoisier_dependency(kokkos)
      set(type STATIC)
      foreach(part Kokkos::kokkoscore Kokkos::kokkos)
        if(TARGET ${part})
          get_target_property(found ${part} TYPE)
          if(found STREQUAL "SHARED_LIBRARY")
            set(type SHARED)
          endif()
        endif()
      endforeach()
    else()
      set(type SHARED)
    endif()
    set(LAVOISIER_HOST_TYPE ${type} CACHE INTERNAL "")
  endif()
  set(${out} ${LAVOISIER_HOST_TYPE} PARENT_SCOPE)
endfunction()

# Turns names of edges (data, eigen) and targets into targets.
function(lavoisier_resolve out)
  set(resolved)
  foreach(item IN LISTS ARGN)
    string(REGEX REPLACE "^lavoisier::" "" edge "${item}")
    if(edge IN_LIST LAVOISIER_TARGETS)
      list(APPEND resolved lavoisier_${edge})
    elseif(edge IN_LIST LAVOISIER_LIBRARIES OR edge MATCHES "^(fmt|openmp|threads|gtest|benchmark)$")
      lavoisier_dependency(${edge})
      if(edge STREQUAL "kokkos")
        list(APPEND resolved Kokkos::kokkos)
      elseif(edge STREQUAL "crypto")
        # Inside the shared library; beside a static one, where the host finds it.
        list(APPEND resolved $<BUILD_INTERFACE:lavoisier_dep_crypto> $<INSTALL_INTERFACE:OpenSSL::Crypto>)
      else()
        list(APPEND resolved $<BUILD_INTERFACE:lavoisier_dep_${edge}>)
      endif()
    else()
      list(APPEND resolved ${item})
    endif()
  endforeach()
  set(${out} ${resolved} PARENT_SCOPE)
endfunction()

# lavoisier_add_library(<name> [STATIC|SHARED] SOURCES <file>…
#                       [PUBLIC_LINK <edge or target>…] [PRIVATE_LINK <edge or target>…] [USES <edge>…]
#                       [INCLUDE <folder>])
# makes the target lavoisier_<name> with the alias lavoisier::<name>. An edge is a name of the table in
# LavoisierEdges.cmake (data, eigen, torch, …) and is checked against it; USES is PRIVATE_LINK for edges. Further names:
# fmt, openmp, threads. Public headers lie in <folder>/include, or in INCLUDE.
function(lavoisier_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "STATIC;SHARED" "INCLUDE" "SOURCES;PUBLIC_LINK;PRIVATE_LINK;USES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lavoisier_add_library(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(LAVOISIER_PLUGIN_ONLY AND NOT name MATCHES "^(data|plugin|plugin_mpi)$")
    return()
  endif()
  set(public ${arg_PUBLIC_LINK})
  set(private ${arg_PRIVATE_LINK} ${arg_USES})
  set(edges ${public} ${private})
  list(TRANSFORM edges REPLACE "^lavoisier(::|_)" "")
  lavoisier_check_link(${name} ${edges})
  if(arg_STATIC)
    set(type STATIC)
  elseif(arg_SHARED)
    set(type SHARED)
  elseif(name IN_LIST LAVOISIER_HOST_TARGETS)
    lavoisier_host_library_type(type)
  else()
    set(type STATIC)
  endif()
  if(NOT arg_INCLUDE)
    set(arg_INCLUDE "${CMAKE_CURRENT_SOURCE_DIR}/include")
    if(NOT IS_DIRECTORY "${arg_INCLUDE}" AND IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/../include")
      cmake_path(SET arg_INCLUDE NORMALIZE "${CMAKE_CURRENT_SOURCE_DIR}/../include")
    endif()
  endif()

  set(target lavoisier_${name})
  add_library(${target} ${type} ${arg_SOURCES})
  add_library(lavoisier::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${target} PRIVATE cxx_std_20)
  if(IS_DIRECTORY "${arg_INCLUDE}")
    target_include_directories(${target} PUBLIC
      "$<BUILD_INTERFACE:${arg_INCLUDE}>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  endif()
  if(type STREQUAL "SHARED")
    # Only names of the project leave the library, whatever its sources instantiate: see exports.map.
    target_link_options(${target} PRIVATE "LINKER:--version-script=${LAVOISIER_EXPORTS}"
      "LINKER:--no-undefined")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${LAVOISIER_EXPORTS}")
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
  endif()
  lavoisier_resolve(public_targets ${public})
  lavoisier_resolve(private_targets ${private})
  target_link_libraries(${target} PUBLIC ${public_targets} PRIVATE ${private_targets})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:lavoisier_options>)
endfunction()

# lavoisier_add_test(<name> SOURCES <file>… LINK <edge or target>… [LABELS <label>…] [WORKING_DIRECTORY <folder>]
#                    [ENVIRONMENT <NAME=value>…] [NO_MAIN])
# makes the GoogleTest program test_<name>, one CTest test for each of its tests. It runs in the source folder unless
# told otherwise. NO_MAIN: the sources have their own main.
function(lavoisier_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_MAIN" "WORKING_DIRECTORY" "SOURCES;LINK;LABELS;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lavoisier_add_test(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT LAVOISIER_BUILD_TESTS)
    return()
  endif()
  lavoisier_resolve(links ${arg_LINK})
  foreach(link IN LISTS links)
    if(link MATCHES "^lavoisier_(.+)$" AND NOT TARGET ${link})
      if(NOT CMAKE_MATCH_1 IN_LIST LAVOISIER_TARGETS)
        message(FATAL_ERROR "test_${name} links ${link}, which no configuration has")
      endif()
      message(STATUS "test_${name} is left out: it needs ${link}, which this configuration does not have")
      return()
    endif()
  endforeach()
  if(NOT arg_WORKING_DIRECTORY)
    set(arg_WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  set(target test_${name})
  add_executable(${target} ${arg_SOURCES})
  lavoisier_dependency(gtest)
  target_link_libraries(${target} PRIVATE ${links} lavoisier_dep_gtest lavoisier_options)
  if(NOT arg_NO_MAIN)
    target_link_libraries(${target} PRIVATE GTest::gtest_main)
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support" "${PROJECT_SOURCE_DIR}/tests")
  target_compile_definitions(${target} PRIVATE "LAVOISIER_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  include(GoogleTest)
  gtest_discover_tests(${target}
    TEST_PREFIX "${name}."
    WORKING_DIRECTORY "${arg_WORKING_DIRECTORY}"
    DISCOVERY_TIMEOUT 120)
  # gtest_discover_tests loses the separators of lists; so labels and environment are set by a file that CTest reads
  # after the one with the tests.
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}_properties.cmake")
  file(GENERATE OUTPUT "${script}" CONTENT
"foreach(test IN LISTS ${target}_TESTS)
  set_tests_properties(\"\${test}\" PROPERTIES TIMEOUT 600 LABELS \"${arg_LABELS}\"
    ENVIRONMENT \"${arg_ENVIRONMENT}\")
endforeach()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()

# lavoisier_add_fortran_library(<name> SOURCES <file>... LINK <target>...): lavoisier_<name>, of the plugin's type.
function(lavoisier_add_fortran_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  lavoisier_host_library_type(type)
  set(target lavoisier_${name})
  add_library(${target} ${type} ${arg_SOURCES})
  add_library(lavoisier::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    Fortran_MODULE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/modules")
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}/modules>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lavoisier>")
  target_link_libraries(${target} PUBLIC ${arg_LINK})
  if(CMAKE_Fortran_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -std=f2008 -Wall -Wextra -pedantic
      $<$<BOOL:${LAVOISIER_WARNINGS_AS_ERRORS}>:-Werror>)
  endif()
  if(LAVOISIER_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# lavoisier_add_kernels(<name> <prefix> [<compiler option>...])
# Adds src/<prefix>_baseline.cpp to lavoisier_<name> and, on x86-64, src/<prefix>_avx2.cpp and src/<prefix>_avx512.cpp:
# one file an instruction set, optimised in every configuration (a debug build would be too slow to use).
function(lavoisier_add_kernels name prefix)
  set(kernels src/${prefix}_baseline.cpp)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    set_property(SOURCE src/${prefix}_avx2.cpp APPEND PROPERTY COMPILE_OPTIONS -mavx2 -mfma)
    set_property(SOURCE src/${prefix}_avx512.cpp APPEND PROPERTY COMPILE_OPTIONS
      -mavx512f -mavx512dq -mavx512vl -mavx512bw -mavx2 -mfma -mprefer-vector-width=512)
    list(APPEND kernels src/${prefix}_avx2.cpp src/${prefix}_avx512.cpp)
  endif()
  target_sources(lavoisier_${name} PRIVATE ${kernels})
  foreach(kernel IN LISTS kernels)
    set_property(SOURCE ${kernel} APPEND PROPERTY COMPILE_OPTIONS -O3 -fno-math-errno -fno-trapping-math ${ARGN})
  endforeach()
endfunction()
