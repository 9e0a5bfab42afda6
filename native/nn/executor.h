// Runs a plan over bound buffers. One thread at a time may be inside run(); the regions' tasks use the pool.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/pool.h"
#include "nn/plan.h"

namespace vernier::nn {

struct BoundBuffer {
  void* data;
  std::size_t length;
  bool integer;
};

// Zeros aligned to a cache line; what is worth one starts on a huge page, where the system gives them.
class Floats {
 public:
  explicit Floats(std::size_t count);
  Floats(Floats&& other) noexcept : data_(std::exchange(other.data_, nullptr)), alignment_(other.alignment_) {}
  Floats& operator=(Floats&&) = delete;
  ~Floats();
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
  std::size_t alignment_ = 0;
};

class Executor {
 public:
  // Throws PLAN if the code is malformed or the buffers are not what it needs.
  Executor(std::span<const double> code, std::span<const BoundBuffer> buffers, int threads);

  // -1 if all went well; i < failures: update i met a gradient that is not finite and left its parameters alone;
  // else failures + j: output j is not finite. Throws SHAPE for a member index out of range.
  int run();

 private:
  struct Worker {
    Worker(std::size_t floats, std::size_t lanes) : local(floats), registers(lanes), gemm(kGemmScratch) {}
    Floats local, registers, gemm;
  };

  float* at(const Ref& ref, int task, const Worker& worker) const;
  void runTask(const Region& region, int task, int worker);
  void execute(const GemmOp& op, int task, const Worker& worker);
  void execute(const RowsOp& op, int task, const Worker& worker);
  void execute(const FillOp& op, int task, const Worker& worker);
  void execute(const CopyOp& op, int task, const Worker& worker);
  void execute(const NormOp& op, int task, const Worker& worker);
  void execute(const AdamOp& op, int task, const Worker& worker);
  void execute(const PolyakOp& op, int task, const Worker& worker);
  void execute(const StepOp& op, int task, const Worker& worker);
  void checkIndices() const;
  int firstFailure() const;
  int length(const Stretch& s, int task) const { return task == tasks_ - 1 ? s.lastCount : s.count; }

  Plan plan_;
  const Kernels& kernels_;
  Floats workspace_;
  std::vector<float*> slots_;
  std::vector<Worker> workers_;
  std::shared_ptr<Pool> pool_;
  std::vector<std::atomic<bool>> failed_;
  int tasks_ = 1;
};

}  // namespace vernier::nn
