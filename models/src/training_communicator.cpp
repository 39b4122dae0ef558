#include <lavoisier/training_communicator.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <optional>

namespace lavoisier {

void together(TrainingCommunicator* communicator, const std::function<void()>& work) {
  if (communicator == nullptr || communicator->size() == 1) return work();
  std::optional<Error> failure;
  try {
    work();
  } catch (const AgreedError&) {
    throw;  // all have it
  } catch (const Error& error) {
    failure = error;
  } catch (const std::bad_alloc&) {
    failure = Error(Status::out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    failure = Error(Status::internal, error.what());
  }
  const auto own = static_cast<std::int32_t>(failure ? failure->status() : Status::ok);
  std::vector<std::int32_t> all(static_cast<std::size_t>(communicator->size()));
  communicator->gather(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(all)));
  const auto first = std::find_if(all.begin(), all.end(), [](std::int32_t status) { return status != 0; });
  if (first == all.end()) return;
  const int root = static_cast<int>(first - all.begin());
  std::vector<std::byte> bytes;
  if (communicator->rank() == root) {
    const std::string message = (root > 0 ? "process " + std::to_string(root) + ": " : std::string()) + failure->what();
    const auto view = std::as_bytes(std::span(message));
    bytes.assign(view.begin(), view.end());
  }
  communicator->broadcast(bytes, root);
  throw AgreedError(static_cast<Status>(*first),
                    std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace lavoisier
