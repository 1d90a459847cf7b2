#include "nets/device.h"
#include <stdexcept>
#include <torch/cuda.h>

namespace krylearn {
namespace nets {

at::Device FindDevice(MPI_Comm comm, const std::string &wanted, bool any_device, const std::string &architecture) {
  if (wanted == "cpu") return at::kCPU;
  if (wanted != "auto" && wanted != "cuda")
    throw std::invalid_argument("unknown device '" + wanted + "'; give auto, cpu or cuda");
  int found = torch::cuda::is_available(), everywhere = 0;
  MPI_Allreduce(&found, &everywhere, 1, MPI_INT, MPI_MIN, comm);
  if (!everywhere || !any_device) {
    if (wanted == "auto") return at::kCPU;
    if (!everywhere)
      throw std::invalid_argument("device cuda was asked for, but this LibTorch finds none (Debian's is made without "
                                  "CUDA); give auto or cpu");
    throw std::invalid_argument("device cuda was asked for, but architecture " + architecture +
                                " computes in host memory only; give auto or cpu");
  }
  MPI_Comm machine;
  int place;
  MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
  MPI_Comm_rank(machine, &place);
  MPI_Comm_free(&machine);
  return at::Device(at::kCUDA, at::DeviceIndex(std::size_t(place) % torch::cuda::device_count()));
}

} // namespace nets
} // namespace krylearn
