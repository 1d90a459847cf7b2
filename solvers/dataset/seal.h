/// \file
/// The first 512 bytes of a data set, in front of what HDF5 sees: they tell whether the file is complete and undamaged,
/// so that HDF5, which trusts its input, is given nothing else.
///
///     bytes 0-7    KRYLDATA; KRYLPART while samples are missing
///     8-11, 12-15  format version; CRC-32 of bytes 16-511 (numbers are little-endian)
///     16-23        length of the file
///     24-27        CRC-32 of the CRC-32s, 4 bytes each, of all blocks of 1 MiB from byte 512 on
///     28-511       zeros
#pragma once
#include <cstdint>
#include <mpi.h>
#include <petscsys.h>
#include <string>

namespace krylearn {

constexpr std::size_t kSealBytes = 512;
constexpr std::uint32_t kDataVersion = 1;

/// Marks a file, in which HDF5 has made its datasets, as one that waits for samples; what went wrong, or nothing. One
/// rank.
std::string MarkUnfinished(const std::string &path);
/// What stands where a data set is written before it gets its name.
enum class PartFile {
  kNothing,    ///< no file, or what is left of one that was given up before it had its mark
  kUnfinished, ///< samples may be missing
  kSealed,     ///< nothing is missing but the name
  kForeign
};
/// One rank.
PartFile FindPartFile(const std::string &path);
/// Seals a finished file, which nobody has open. Collective.
PetscErrorCode Seal(MPI_Comm comm, const std::string &path);
/// Refuses files that are missing, foreign, unfinished, cut off, damaged or of another version with one clear message
/// (PETSC_ERR_FILE_OPEN, PETSC_ERR_FILE_UNEXPECTED). Reads the whole file, each rank its share. `identity` becomes the
/// checksum of the contents. Collective.
PetscErrorCode CheckSeal(MPI_Comm comm, const std::string &path, std::uint32_t *identity);

} // namespace krylearn
