#ifndef LAVOISIER_PLUGIN_C_API_HPP
#define LAVOISIER_PLUGIN_C_API_HPP

// What the files of the C interface share.

#include <lavoisier/emulator.hpp>
#include <lavoisier/global_laws.hpp>
#include <lavoisier/lavoisier.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct lav_model {
  std::shared_ptr<const lavoisier::Model> model;
};
struct lav_workspace {
  lav_workspace(std::shared_ptr<const lavoisier::Model> shared, const lavoisier::WorkspaceOptions& options)
      : model(shared),
        workspace(std::move(shared), options),
        inputs(model->inputs().size()),
        outputs(model->outputs().size()),
        laws(model->laws().size()),
        backend(workspace.backend()),
        instruction_set(workspace.instruction_set()) {}
  std::shared_ptr<const lavoisier::Model> model;
  lavoisier::Workspace workspace;
  std::vector<lavoisier::InputField> inputs;
  std::vector<lavoisier::OutputField> outputs;
  std::vector<lavoisier::LawClosure> laws;  ///< of the last successful run
  std::string backend, instruction_set;
};

struct lav_global_laws {
  lav_global_laws(std::shared_ptr<const lavoisier::Model> model, const lavoisier::GlobalLawsOptions& options)
      : laws(std::move(model), options) {}
  lavoisier::GlobalLaws laws;
};

namespace lavoisier::detail {

/// Makes `text` the calling thread's last failure.
lav_status fail(Status status, const char* text) noexcept;

template <class Body>
lav_status guarded(Body&& body) noexcept {
  try {
    body();
    return LAV_OK;
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(Status::out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    return fail(Status::internal, error.what());
  } catch (...) {
    return fail(Status::internal, "an unknown exception");
  }
}

inline void require(bool condition, const char* text) {
  if (!condition) throw Error(Status::invalid_argument, text);
}

/// Structures of another release of the interface have another size.
template <class Structure>
void require_size(const Structure& given, const char* name) {
  if (given.size != sizeof(Structure))
    throw Error(Status::unsupported_version, std::string(name) + ".size: expected " +
                                                 std::to_string(sizeof(Structure)) + ", found " +
                                                 std::to_string(given.size) + " (begin with its LAV_..._INIT)");
}

inline const char* text(const std::string& value) noexcept { return value.c_str(); }

/// A structure as this release has it: `defaults` (its LAV_..._INIT) where an older caller, whose structure ended
/// before one of the `additions` (their offsets), lacks members.
template <class Structure>
Structure complete(const Structure& given, Structure defaults, std::initializer_list<std::size_t> additions,
                   const char* name) {
  if (std::find(additions.begin(), additions.end(), given.size) == additions.end()) require_size(given, name);
  std::memcpy(static_cast<void*>(&defaults), &given, given.size);
  return defaults;
}

template <class From, class To>
void convert(const From* from, std::size_t count, std::vector<To>& to, const std::int64_t* block_strides,
             const char* what) {
  if (count > 0 && from == nullptr) throw Error(Status::invalid_argument, std::string(what) + ": null");
  if (count > to.size())
    throw Error(Status::invalid_argument, std::string(what) + ": the model has " + std::to_string(to.size()) + ", " +
                                              std::to_string(count) + " are given");
  for (std::size_t i = 0; i < count; ++i) {
    to[i].name = from[i].name;
    to[i].units = from[i].units;
    to[i].data = from[i].data;
    to[i].precision = static_cast<Precision>(from[i].precision);
    to[i].space = static_cast<MemorySpace>(from[i].space);
    to[i].columns = from[i].columns;
    to[i].elements = from[i].elements;
    to[i].column_stride = from[i].column_stride;
    to[i].element_stride = from[i].element_stride;
    to[i].block_stride = block_strides != nullptr ? block_strides[i] : 0;
  }
}

/// The arguments of a run, their fields in `inputs` and `outputs`, which have the model's numbers of them.
RunArguments run_arguments(const lav_run_arguments& asked, std::vector<InputField>& inputs,
                           std::vector<OutputField>& outputs);

/// A host's reduction behind lavoisier::Reduce.
struct HostReduction {
  lav_reduce reduce;
  void* context;
  static Status call(void* self, std::int64_t* words, std::size_t count) {
    const auto& own = *static_cast<const HostReduction*>(self);
    return static_cast<Status>(own.reduce(own.context, words, count));
  }
};

}  // namespace lavoisier::detail

#endif
