#ifndef LAVOISIER_EMULATOR_KOKKOS_HPP
#define LAVOISIER_EMULATOR_KOKKOS_HPP

// Fields from a host's own Kokkos views. Only pointers, extents and strides pass: the library's kernels are compiled
// inside it, so the host's Kokkos may be configured as it likes, as long as it is the same library.

#include <lavoisier/emulator.hpp>

#include <Kokkos_Core.hpp>

#include <type_traits>

namespace lavoisier {

namespace detail {
template <class Field, class View>
Field field_of(const char* name, const View& view, const char* units) {
  using Value = std::remove_const_t<typename View::value_type>;
  static_assert(std::is_same<Value, float>::value || std::is_same<Value, double>::value, "a view of float or double");
  static_assert(View::rank == 1 || View::rank == 2, "a view of columns, or of columns and elements");
  Field field;
  field.name = name;
  field.units = units;
  field.data = view.data();
  field.precision = std::is_same<Value, float>::value ? Precision::f32 : Precision::f64;
  field.space = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible
                    ? MemorySpace::host
                    : MemorySpace::device;
  field.columns = static_cast<std::int64_t>(view.extent(0));
  field.column_stride = static_cast<std::int64_t>(view.stride(0));
  if (View::rank == 2) {
    field.elements = static_cast<std::int64_t>(view.extent(1));
    field.element_stride = static_cast<std::int64_t>(view.stride(1));
  }
  return field;
}
template <class Space, class = void>
struct Queue {
  static void* of(const Space&) { return nullptr; }
};
#if defined(KOKKOS_ENABLE_CUDA)
template <class Space>
struct Queue<Space, std::enable_if_t<std::is_same<Space, Kokkos::Cuda>::value>> {
  static void* of(const Space& space) { return space.cuda_stream(); }
};
#elif defined(KOKKOS_ENABLE_HIP)
template <class Space>
struct Queue<Space, std::enable_if_t<std::is_same<Space, Kokkos::HIP>::value>> {
  static void* of(const Space& space) { return space.hip_stream(); }
};
#endif
}  // namespace detail

/// WorkspaceOptions::device_stream of a host's execution space; null of one on the host.
template <class ExecutionSpace>
void* device_stream(const ExecutionSpace& space) {
  return detail::Queue<ExecutionSpace>::of(space);
}

/// The field of a view(columns) or view(columns, elements) of float or double, in any layout, host or device memory.
/// The view must outlive the run; `name` and `units` too.
template <class View>
InputField input_field(const char* name, const View& view, const char* units = nullptr) {
  return detail::field_of<InputField>(name, view, units);
}
template <class View>
OutputField output_field(const char* name, const View& view, const char* units = nullptr) {
  static_assert(!std::is_const<typename View::value_type>::value, "an output is written to: a view of non-const values");
  return detail::field_of<OutputField>(name, view, units);
}

}  // namespace lavoisier

#endif
