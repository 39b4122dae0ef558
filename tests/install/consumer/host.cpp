// The host-facing header alone, in C++17: starts and ends Kokkos through the plugin, and meets an error as an exception
// of the type that the header declares.
#include <lavoisier/emulator.hpp>

#include <cstdio>
#include <string>

int main() {
  lavoisier::initialize();
  bool refused = false;
  try {
    lavoisier::Model::load("/nonexistent/model.safetensors");
  } catch (const lavoisier::Error& error) {
    refused = error.status() == lavoisier::Status::not_found &&
              std::string(error.what()).find("/nonexistent/model.safetensors") != std::string::npos;
    std::printf("%s: %s\n", lavoisier::status_name(error.status()), error.what());
  }
  for (const std::string& backend : lavoisier::available_backends()) std::printf("backend %s\n", backend.c_str());
  lavoisier::finalize();
  return refused ? 0 : 1;
}
