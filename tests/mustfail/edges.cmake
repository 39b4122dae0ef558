# Gives the edge check small trees with one forbidden edge each, and expects it to name file, line and edge; and trees
# without, which it must let pass.
cmake_minimum_required(VERSION 3.25)

# Writes a tree with one file.
function(tree file content)
  file(REMOVE_RECURSE "${SCRATCH}")
  file(WRITE "${SCRATCH}/data/include/lavoisier/status.hpp" "#pragma once\n")
  file(WRITE "${SCRATCH}/data/include/lavoisier/netcdf_reader.hpp" "#pragma once\n")
  file(WRITE "${SCRATCH}/constraints/include/lavoisier/linear_constraints.hpp" "#include <Eigen/Core>\n")
  file(WRITE "${SCRATCH}/models/include/lavoisier/training.hpp" "#include <lavoisier/linear_constraints.hpp>\n")
  file(WRITE "${SCRATCH}/plugin/include/lavoisier/emulator.hpp" "#include <lavoisier/status.hpp>\n")
  file(WRITE "${SCRATCH}/${file}" "${content}")
endfunction()

function(check)
  execute_process(COMMAND "${CMAKE_COMMAND}" -DROOT=${SCRATCH} -P "${SOURCE}/cmake/LavoisierEdges.cmake"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(result "${result}" PARENT_SCOPE)
  # Messages are wrapped.
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(refused file content expected)
  tree("${file}" "${content}")
  check()
  string(FIND "${output}" "${expected}" at)
  if(result EQUAL 0 OR at EQUAL -1)
    message(SEND_ERROR "${file}: expected to be refused with '${expected}'; result ${result}, output:\n${output}")
  endif()
endfunction()

function(allowed file content)
  tree("${file}" "${content}")
  check()
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${file}: expected to be allowed; output:\n${output}")
  endif()
endfunction()

refused(plugin/src/a.cpp "#include <vector>\n\n#include <torch/torch.h>\n"
  "plugin/src/a.cpp:3: plugin includes <torch/torch.h> of torch")
refused(plugin/src/a.cpp "#include <Eigen/Dense>\n" "plugin/src/a.cpp:1: plugin includes <Eigen/Dense> of eigen")
refused(plugin/include/lavoisier/b.hpp "#include <lavoisier/training.hpp>\n"
  "plugin/include/lavoisier/b.hpp:1: plugin includes <lavoisier/training.hpp> of models")
refused(plugin/src/a.cpp "  #  include \"lavoisier/netcdf_reader.hpp\"\n"
  "plugin/src/a.cpp:1: plugin includes <lavoisier/netcdf_reader.hpp> of io")
refused(models/src/a.cpp "#include <Kokkos_Core.hpp>\n" "models/src/a.cpp:1: models includes <Kokkos_Core.hpp> of kokkos")
refused(models/src/a.cpp "#include <netcdf>\n" "models/src/a.cpp:1: models includes <netcdf> of netcdf")
refused(constraints/src/a.cpp "#include <boost/program_options.hpp>\n"
  "constraints/src/a.cpp:1: constraints includes <boost/program_options.hpp> of boost")
refused(data/a.cpp "#include <lavoisier/netcdf_reader.hpp>\n" "data/a.cpp:1: data includes <lavoisier/netcdf_reader.hpp> of io")
refused(data/include/lavoisier/a.hpp "#include <udunits2.h>\n" "data/include/lavoisier/a.hpp:1: data includes <udunits2.h> of udunits")
refused(domains/src/a.cpp "#include <lavoisier/emulator.hpp>\n"
  "domains/src/a.cpp:1: domains includes <lavoisier/emulator.hpp> of plugin")
allowed(plugin/src/a.cpp "// #include <torch/torch.h>\n#include <Kokkos_Core.hpp>\n#include <lavoisier/status.hpp>\n")
allowed(models/src/a.cpp "#include <torch/torch.h>\n#include <Eigen/Core>\n#include <lavoisier/status.hpp>\n")
allowed(data/io/a.cpp "#include <netcdf>\n#include <lavoisier/netcdf_reader.hpp>\n")
allowed(apps/a.cpp "#include <lavoisier/emulator.hpp>\n#include <lavoisier/training.hpp>\n#include <boost/program_options.hpp>\n")

# Links: a project made of the same helpers, whose plugin links a target that it must not.
function(link_edge edge expected)
  file(REMOVE_RECURSE "${SCRATCH}")
  file(WRITE "${SCRATCH}/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(edges VERSION 0.1 LANGUAGES C CXX)\n"
    "list(PREPEND CMAKE_MODULE_PATH \"${SOURCE}/cmake\")\ninclude(LavoisierEdges)\ninclude(LavoisierDependencies)\n"
    "include(LavoisierTargets)\nlavoisier_add_library(constraints STATIC SOURCES a.cpp)\nadd_subdirectory(plugin)\nlavoisier_check_targets()\n")
  file(WRITE "${SCRATCH}/a.cpp" "int a();\n")
  file(WRITE "${SCRATCH}/plugin/a.cpp" "int a();\n")
  file(WRITE "${SCRATCH}/plugin/CMakeLists.txt"
    "# a plugin\nlavoisier_add_library(plugin STATIC SOURCES a.cpp PRIVATE_LINK ${edge})\n${ARGN}\n")
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SCRATCH}" -B "${SCRATCH}/build" -G "${GENERATOR}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(expected STREQUAL "")
    if(NOT result EQUAL 0)
      message(SEND_ERROR "linking '${edge}': expected to be allowed; output:\n${output}")
    endif()
  elseif(result EQUAL 0 OR NOT output MATCHES "${expected}")
    message(SEND_ERROR "linking '${edge}': expected to be refused with '${expected}'; result ${result}, output:\n${output}")
  endif()
endfunction()
link_edge(lavoisier::constraints "plugin/CMakeLists.txt:2: plugin links constraints")
link_edge(torch "plugin/CMakeLists.txt:2: plugin links torch")
link_edge(threads "")
# The same behind lavoisier_add_library's back.
link_edge("" "plugin/CMakeLists.txt: plugin links lavoisier::constraints of constraints"
  "target_link_libraries(lavoisier_plugin PRIVATE lavoisier::constraints)")
link_edge("" "plugin links /usr/lib/libtorch.so of torch" "target_link_libraries(lavoisier_plugin PRIVATE /usr/lib/libtorch.so)")
link_edge("" "" "target_link_libraries(lavoisier_plugin PRIVATE m)")
