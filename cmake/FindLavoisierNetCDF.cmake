# NetCDF-C++4 and NetCDF-C: the target LavoisierNetCDF::cxx.
find_path(LavoisierNetCDF_CXX_INCLUDE NAMES netcdf)
find_library(LavoisierNetCDF_CXX_LIBRARY NAMES netcdf_c++4 netcdf-cxx4)
find_path(LavoisierNetCDF_C_INCLUDE NAMES netcdf.h)
find_library(LavoisierNetCDF_C_LIBRARY NAMES netcdf)
mark_as_advanced(LavoisierNetCDF_CXX_INCLUDE LavoisierNetCDF_CXX_LIBRARY LavoisierNetCDF_C_INCLUDE
  LavoisierNetCDF_C_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LavoisierNetCDF REQUIRED_VARS LavoisierNetCDF_CXX_LIBRARY LavoisierNetCDF_CXX_INCLUDE
  LavoisierNetCDF_C_LIBRARY LavoisierNetCDF_C_INCLUDE)
if(LavoisierNetCDF_FOUND AND NOT TARGET LavoisierNetCDF::cxx)
  add_library(LavoisierNetCDF::cxx INTERFACE IMPORTED GLOBAL)
  target_include_directories(LavoisierNetCDF::cxx SYSTEM INTERFACE
    "${LavoisierNetCDF_CXX_INCLUDE}" "${LavoisierNetCDF_C_INCLUDE}")
  target_link_libraries(LavoisierNetCDF::cxx INTERFACE
    "${LavoisierNetCDF_CXX_LIBRARY}" "${LavoisierNetCDF_C_LIBRARY}")
endif()
