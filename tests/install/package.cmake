# Installs the component plugin, moves the installed tree, and builds and runs a C++17 and a C99 host against it; then
# what was built of fortran and plugin_mpi, and hosts of them.
cmake_minimum_required(VERSION 3.25)
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

string(REPLACE "," ";" ADDED_COMPONENTS "${ADDED_COMPONENTS}")
file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --component plugin --prefix "${SCRATCH}/first")
file(RENAME "${SCRATCH}/first" "${SCRATCH}/prefix")

# Only what belongs to the component.
file(GLOB_RECURSE files RELATIVE "${SCRATCH}/prefix" "${SCRATCH}/prefix/*")
foreach(file IN LISTS files)
  if(NOT file MATCHES "liblavoisier_(data|plugin)\\.|/lavoisier/[a-z_-]+\\.(h|hpp|cmake|mod|f90)$|LICENSE$")
    message(SEND_ERROR "installed, but not expected of the component plugin: ${file}")
  endif()
endforeach()

# A component that is not installed is refused by name.
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/consumer_without" -G "${GENERATOR}"
  "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix" -DCONSUMER_LANGUAGE=CXX -DCOMPONENT=fortran
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "no component 'fortran'")
  message(FATAL_ERROR "find_package(lavoisier COMPONENTS fortran) should have been refused by name:\n${output}")
endif()
foreach(component IN LISTS ADDED_COMPONENTS)
  run("${CMAKE_COMMAND}" --install "${BUILD}" --component ${component} --prefix "${SCRATCH}/prefix")
endforeach()

set(flags)
if(SANITIZE)
  set(flags "-DCMAKE_CXX_FLAGS=-fsanitize=address,undefined" "-DCMAKE_C_FLAGS=-fsanitize=address,undefined")
endif()
set(languages CXX)
if(EXISTS "${CONSUMER}/host.c")
  list(APPEND languages C)
endif()
if("fortran" IN_LIST ADDED_COMPONENTS)
  list(APPEND languages Fortran)
  list(APPEND flags "-DCMAKE_Fortran_COMPILER=${FORTRAN_COMPILER}")
endif()
foreach(language IN LISTS languages)
  run("${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/consumer_${language}" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix" "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}"
    "-DCONSUMER_LANGUAGE=${language}" ${flags})
  run("${CMAKE_COMMAND}" --build "${SCRATCH}/consumer_${language}")
  run("${SCRATCH}/consumer_${language}/host")
  message(STATUS "host in ${language}: ${output}")
endforeach()

if("plugin_mpi" IN_LIST ADDED_COMPONENTS)
  run("${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/consumer_mpi" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" -DCONSUMER_LANGUAGE=CXX
    -DCOMPONENT=plugin_mpi ${flags})
  run("${CMAKE_COMMAND}" --build "${SCRATCH}/consumer_mpi")
  set(ENV{OMPI_ALLOW_RUN_AS_ROOT} 1)  # one process, without a launcher
  set(ENV{OMPI_ALLOW_RUN_AS_ROOT_CONFIRM} 1)
  run("${SCRATCH}/consumer_mpi/host")
  message(STATUS "host with MPI: ${output}")
endif()

# Fortran with MPI: found with all that it needs.
if("fortran_mpi" IN_LIST ADDED_COMPONENTS)
  run("${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/consumer_fortran_mpi" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" -DCONSUMER_LANGUAGE=Fortran
    -DCOMPONENT=fortran_mpi ${flags})
  run("${CMAKE_COMMAND}" --build "${SCRATCH}/consumer_fortran_mpi")
  run("${SCRATCH}/consumer_fortran_mpi/host")
endif()

# A component that is not there is refused by name.
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${SCRATCH}/consumer_refused" -G "${GENERATOR}"
  "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix" -DCONSUMER_LANGUAGE=CXX -DCOMPONENT=models
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0 OR NOT output MATCHES "no component 'models'")
  message(FATAL_ERROR "find_package(lavoisier COMPONENTS models) should have been refused by name:\n${output}")
endif()
