#ifndef LAVOISIER_PLUGIN_DEVICE_MEMORY_HPP
#define LAVOISIER_PLUGIN_DEVICE_MEMORY_HPP

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lavoisier::detail {

/// Arrays of an execution space and their ways to and from the host.
template <class ExecutionSpace>
struct DeviceMemory {
  using Memory = typename ExecutionSpace::memory_space;
  template <class T>
  using Array = Kokkos::View<T*, Memory>;
  template <class T>
  using HostArray = Kokkos::View<T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  template <class T>
  using Borrowed = Kokkos::View<T*, Memory, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Range = Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>;

  template <class T>
  static Array<T> make(std::int64_t size) {
    return Array<T>("lavoisier", static_cast<std::size_t>(size));
  }
  template <class T>
  static Array<T> copy(const T* data, std::size_t size) {
    Array<T> made("lavoisier", size);
    if (size > 0) Kokkos::deep_copy(made, HostArray<const T>(data, size));
    return made;
  }
  template <class T>
  static Array<T> copy(const std::vector<T>& data) {
    return copy(data.data(), data.size());
  }
  template <class T>
  static void upload(const ExecutionSpace& space, T* to, const T* from, std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    if (size > 0) Kokkos::deep_copy(space, Borrowed<T>(to, size), HostArray<const T>(from, size));
  }
  /// Waits: afterwards the host may read.
  template <class T>
  static void download(const ExecutionSpace& space, const T* from, T* to, std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    if (size > 0) Kokkos::deep_copy(space, HostArray<T>(to, size), Borrowed<const T>(from, size));
    space.fence();
  }
};

}  // namespace lavoisier::detail

#endif
