#ifndef LAVOISIER_PLUGIN_ALIGNED_BUFFER_HPP
#define LAVOISIER_PLUGIN_ALIGNED_BUFFER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

namespace lavoisier::detail {

inline constexpr std::size_t cache_line = 64;

/// Zeroed storage of trivial elements, aligned to a cache line (and so to any vector register), of a fixed size.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size)
      : data_(static_cast<T*>(::operator new(bytes(size), std::align_val_t{cache_line}))), size_(size) {
    std::fill_n(data_.get(), size, T{});
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return data_.get()[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_.get()[i]; }

 private:
  static std::size_t bytes(std::size_t size) {
    if (size > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(T)) throw std::bad_array_new_length();
    return std::max<std::size_t>(size, 1) * sizeof(T);
  }
  struct Delete {
    void operator()(T* p) const noexcept { ::operator delete(p, std::align_val_t{cache_line}); }
  };
  std::unique_ptr<T, Delete> data_;
  std::size_t size_ = 0;
};

/// One that its copies share: what is written through one is seen through all, so it is filled before it is copied.
template <class T>
class SharedBuffer {
 public:
  SharedBuffer() = default;
  explicit SharedBuffer(std::size_t size) : buffer_(std::make_shared<AlignedBuffer<T>>(size)) {}

  T* data() noexcept { return buffer_ ? buffer_->data() : nullptr; }
  const T* data() const noexcept { return buffer_ ? buffer_->data() : nullptr; }
  std::size_t size() const noexcept { return buffer_ ? buffer_->size() : 0; }
  T& operator[](std::size_t i) noexcept { return (*buffer_)[i]; }

 private:
  std::shared_ptr<AlignedBuffer<T>> buffer_;
};

}  // namespace lavoisier::detail

#endif
