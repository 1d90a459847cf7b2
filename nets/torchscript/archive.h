/// \file
/// The file of a TorchScript module: a zip archive, checked before LibTorch sees it.
#pragma once
#include <string>

namespace krylearn {
namespace nets {

/// Whether a file begins as zip archives do.
bool IsArchive(const std::string &bytes);
/// What is wrong with an archive – cut off, or an entry whose checksum does not match –, or nothing. LibTorch leaves
/// the checksums unchecked, so that damaged weights would go unnoticed.
std::string WhyDamaged(const std::string &bytes);

} // namespace nets
} // namespace krylearn
