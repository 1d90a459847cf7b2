/// \file
/// Small parts for those who call HDF5: identifiers that close themselves, silence, reasons of failures.
#pragma once
#include <algorithm>
#include <cstddef>
#include <hdf5.h>
#include <string>

namespace krylearn {
namespace hdf5 {

/// Keeps HDF5 from printing its error stack while we report errors ourselves; the caller's setting comes back.
class QuietHdf5 {
public:
  QuietHdf5() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietHdf5() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  QuietHdf5(const QuietHdf5 &) = delete;
  QuietHdf5 &operator=(const QuietHdf5 &) = delete;

private:
  H5E_auto2_t function_ = nullptr;
  void *data_ = nullptr;
};

/// Closes an identifier when it goes out of scope.
class Handle {
public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  operator hid_t() const { return id_; }

private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// The innermost entry of HDF5's error stack: the reason, without the route it took. Call it right after the failure.
inline std::string Reason() {
  std::string text;
  auto keep_first = [](unsigned, const H5E_error2_t *entry, void *data) -> herr_t {
    auto *out = static_cast<std::string *>(data);
    if (out->empty() && entry->desc) *out = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  return text.empty() ? "HDF5 gave no reason" : text;
}

/// Type of a text of fixed length.
inline hid_t StringType(std::size_t length) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, std::max<std::size_t>(length, 1));
  return type;
}

} // namespace hdf5
} // namespace krylearn
