# Installing. Component plugin: what a host links (libraries, headers, package config). Components fortran, plugin_mpi,
# fortran_mpi: what is added for hosts in Fortran, with MPI, and with both. Component apps: the command.
include(CMakePackageConfigHelpers)
set(destination "${CMAKE_INSTALL_LIBDIR}/cmake/lavoisier")

# The headers of data that those of the plugin include, directly or not: a host gets these and no other.
function(lavoisier_included_headers out root)
  set(open ${ARGN})
  set(closure)
  while(open)
    list(POP_FRONT open header)
    file(STRINGS "${header}" lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]lavoisier/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE ".*[<\"](lavoisier/[^>\"]+)[>\"].*" "\\1" included "${line}")
      set(file "${root}/${included}")
      if(EXISTS "${file}" AND NOT file IN_LIST closure)
        list(APPEND closure "${file}")
        list(APPEND open "${file}")
      endif()
    endforeach()
  endwhile()
  set(${out} ${closure} PARENT_SCOPE)
endfunction()

if(TARGET lavoisier_plugin AND TARGET lavoisier_data)
  set(plugin_include "${PROJECT_SOURCE_DIR}/plugin/include")
  set(data_include "${PROJECT_SOURCE_DIR}/data/include")
  file(GLOB_RECURSE plugin_headers CONFIGURE_DEPENDS "${plugin_include}/lavoisier/*")
  lavoisier_included_headers(data_headers "${data_include}" ${plugin_headers})
  target_sources(lavoisier_plugin PUBLIC
    FILE_SET HEADERS BASE_DIRS "${plugin_include}" FILES ${plugin_headers})
  target_sources(lavoisier_data PUBLIC
    FILE_SET HEADERS BASE_DIRS "${data_include}" FILES ${data_headers})
  # What these headers declare lies in both libraries; data's own usage requirements are none of a host's business.
  target_link_libraries(lavoisier_plugin INTERFACE $<LINK_ONLY:lavoisier_data>)
  # The libraries find each other where they lie, and Kokkos where it was found.
  set_target_properties(lavoisier_data lavoisier_plugin PROPERTIES
    INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS lavoisier_data lavoisier_plugin EXPORT lavoisier-plugin
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT plugin
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT plugin
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT plugin)
  install(EXPORT lavoisier-plugin NAMESPACE lavoisier:: DESTINATION "${destination}" COMPONENT plugin)
  # Package components fortran and fortran_mpi: sets of their own, and installed with components of these names.
  foreach(component fortran fortran_mpi)
    if(NOT TARGET lavoisier_${component})
      continue()
    endif()
    set_target_properties(lavoisier_${component} PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS lavoisier_${component} EXPORT lavoisier-${component}
      LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component}
      ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component})
    get_target_property(modules lavoisier_${component} Fortran_MODULE_DIRECTORY)
    get_target_property(source lavoisier_${component} SOURCES)
    get_target_property(folder lavoisier_${component} SOURCE_DIR)
    get_filename_component(module "${source}" NAME_WE)
    install(FILES "${modules}/${module}.mod" "${folder}/${source}"
      DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/lavoisier" COMPONENT ${component})
    install(EXPORT lavoisier-${component} NAMESPACE lavoisier:: DESTINATION "${destination}" COMPONENT ${component})
  endforeach()
  # Package component plugin_mpi, likewise.
  if(TARGET lavoisier_plugin_mpi)
    set(mpi_include "${PROJECT_SOURCE_DIR}/plugin/mpi/include")
    target_sources(lavoisier_plugin_mpi PUBLIC
      FILE_SET HEADERS BASE_DIRS "${mpi_include}" FILES "${mpi_include}/lavoisier/lavoisier_mpi.h")
    set_target_properties(lavoisier_plugin_mpi PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS lavoisier_plugin_mpi EXPORT lavoisier-plugin_mpi
      LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT plugin_mpi
      ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT plugin_mpi
      FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT plugin_mpi)
    install(EXPORT lavoisier-plugin_mpi NAMESPACE lavoisier:: DESTINATION "${destination}" COMPONENT plugin_mpi)
  endif()
  get_target_property(LAVOISIER_HOST_TYPE lavoisier_plugin TYPE)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/lavoisier-config.cmake.in"
    "${PROJECT_BINARY_DIR}/cmake/lavoisier-config.cmake"
    INSTALL_DESTINATION "${destination}" NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/lavoisier-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/cmake/lavoisier-config.cmake"
    "${PROJECT_BINARY_DIR}/cmake/lavoisier-config-version.cmake"
    DESTINATION "${destination}" COMPONENT plugin)
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT plugin)
endif()

if(TARGET lavoisier)
  set_target_properties(lavoisier PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS lavoisier RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT apps)
endif()
