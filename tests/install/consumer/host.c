/* The C header alone, in C99: starts and ends Kokkos through the plugin, and meets an error as a status and a message. */
#include <lavoisier/lavoisier.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  lav_initialize_options options = LAV_INITIALIZE_OPTIONS_INIT;
  lav_model* model = NULL;
  lav_status status;
  int refused;
  if (lav_initialize(&options) != LAV_OK) {
    printf("%s\n", lav_last_error());
    return 1;
  }
  status = lav_model_load("/nonexistent/model.safetensors", &model);
  refused = status == LAV_NOT_FOUND && model == NULL &&
            strstr(lav_last_error(), "/nonexistent/model.safetensors") != NULL;
  printf("%s: %s (lavoisier %s)\n", lav_status_name(status), lav_last_error(), lav_version());
  if (lav_finalize() != LAV_OK) return 1;
  return refused ? 0 : 1;
}
