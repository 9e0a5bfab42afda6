#include "nn/executor.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vernier::nn {

Floats::Floats(std::size_t count) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20, kWorthOne = kHugePage / 4;
  const std::size_t least = (count * sizeof(float) + 127) / 64 * 64;
  alignment_ = least >= kWorthOne ? kHugePage : 64;
  const std::size_t bytes = (least + alignment_ - 1) / alignment_ * alignment_;
  data_ = static_cast<float*>(::operator new(bytes, std::align_val_t(alignment_)));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment_ == kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  std::memset(data_, 0, least);
}

Floats::~Floats() {
  if (data_) ::operator delete(data_, std::align_val_t(alignment_));
}

Executor::Executor(std::span<const double> code, std::span<const BoundBuffer> buffers, int threads)
    : plan_(decodePlan(code)),
      kernels_(kernels()),
      workspace_(plan_.workspace),
      failed_(static_cast<std::size_t>(plan_.failures)) {
  if (buffers.size() + kFirstBound != plan_.buffers.size()) throw Error("PLAN", "the plan needs other buffers");
  slots_ = {workspace_.data(), nullptr};
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const BufferSpec& spec = plan_.buffers[i + kFirstBound];
    if (buffers[i].integer != spec.integer || buffers[i].length < spec.length) {
      throw Error("PLAN", "buffer " + std::to_string(i) + " is shorter than the plan needs or of the wrong type");
    }
    slots_.push_back(static_cast<float*>(buffers[i].data));
  }
  int most = 1;
  for (const Region& region : plan_.regions) most = std::max(most, region.tasks);
  threads = std::min(threads, most);
  if (threads > 1) pool_ = sharedPool(threads);
  for (int i = 0; i < threads; ++i) workers_.emplace_back(plan_.local, plan_.registers);
}

float* Executor::at(const Ref& ref, int task, const Worker& worker) const {
  std::ptrdiff_t i = task;
  if (ref.indexSlot >= 0) {
    const float* index = slots_[static_cast<std::size_t>(ref.indexSlot)] + ref.indexOffset + task * ref.indexStride;
    std::int32_t value;
    std::memcpy(&value, index, sizeof value);
    i = value;
  }
  float* base = ref.slot == kLocal ? worker.local.data() : slots_[static_cast<std::size_t>(ref.slot)];
  return base + ref.offset + i * ref.stride;
}

int Executor::run() {
  checkIndices();
  for (std::atomic<bool>& failed : failed_) failed.store(false, std::memory_order_relaxed);
  for (const Region& region : plan_.regions) {
    tasks_ = region.tasks;
    if (region.tasks == 1 || !pool_) {
      for (int task = 0; task < region.tasks; ++task) runTask(region, task, 0);
    } else {
      pool_->run(static_cast<std::size_t>(region.tasks),
                 [&](std::size_t task, int worker) { runTask(region, static_cast<int>(task), worker); });
    }
  }
  return firstFailure();
}

void Executor::runTask(const Region& region, int task, int worker) {
  const Worker& own = workers_[static_cast<std::size_t>(worker)];
  for (const PlanOp& op : region.ops) std::visit([&](const auto& o) { execute(o, task, own); }, op);
}

void Executor::execute(const GemmOp& op, int task, const Worker& worker) {
  const float* a = at(op.a, task, worker);
  const float* b = at(op.b, task, worker);
  float* c = at(op.c, task, worker);
  for (int i = 0; i < op.batch; ++i) {
    kernels_.gemm({a + i * op.batchA, op.rowA, op.columnA, b + i * op.batchB, op.rowB, op.columnB, c + i * op.batchC,
                   op.rowC, op.m, op.n, op.k, false},
                  worker.gemm.data());
  }
}

namespace {

// An operand with its address for the task filled in.
struct LiveOperand {
  float* p;
  std::array<std::ptrdiff_t, 3> strides;
  bool scalar, moves;
};

constexpr std::size_t kMostLive = 64;

}  // namespace

void Executor::execute(const RowsOp& op, int task, const Worker& worker) {
  float* vectors = worker.registers.data();
  float* scalars =
      vectors + static_cast<std::size_t>(op.vectors) * static_cast<std::size_t>(op.registerWidth) * kRowBlock;
  thread_local std::vector<LiveOperand> live;
  live.clear();
  for (const RowInstruction& instruction : op.instructions) {
    for (const RowOperand& o : instruction.operands) {
      switch (o.kind) {
        case OperandKind::kNone:
          live.push_back({nullptr, {0, 0, 0}, false, false});
          break;
        case OperandKind::kVector:
          live.push_back({vectors + static_cast<std::ptrdiff_t>(o.index) * op.registerWidth * kRowBlock,
                          {0, 0, op.registerWidth},
                          false,
                          false});
          break;
        case OperandKind::kScalar:
          live.push_back({scalars + o.index * kRowBlock, {0, 0, 1}, true, false});
          break;
        case OperandKind::kConstant:
          live.push_back({const_cast<float*>(&o.constant), {0, 0, 0}, true, false});
          break;
        default:
          live.push_back({at(o.ref, task, worker), o.strides, o.kind == OperandKind::kMemoryScalar, true});
      }
    }
  }
  for (int i = 0; i < op.extent[0]; ++i) {
    for (int j = 0; j < op.extent[1]; ++j) {
      for (int r = 0; r < op.extent[2]; r += kRowBlock) {
        const int rows = std::min(kRowBlock, op.extent[2] - r);
        const LiveOperand* operand = live.data();
        for (const RowInstruction& instruction : op.instructions) {
          const auto lane = [&](const LiveOperand& o) -> Lane {
            float* p = o.moves ? o.p + i * o.strides[0] + j * o.strides[1] + r * o.strides[2] : o.p;
            return {p, o.strides[2], o.scalar};
          };
          kernels_.rows({instruction.op, rows, instruction.width, instruction.epsilon, lane(operand[0]),
                         lane(operand[1]), lane(operand[2]), lane(operand[3])});
          operand += 4;
        }
      }
    }
  }
}

void Executor::execute(const FillOp& op, int task, const Worker& worker) {
  std::fill_n(at(op.to, task, worker), op.count, op.value);
}

void Executor::execute(const CopyOp& op, int task, const Worker& worker) {
  float* to = at(op.to, task, worker);
  const float* from = at(op.from, task, worker);
  const auto& t = op.toStrides;
  const auto& f = op.fromStrides;
  if (op.extent[0] == 1 && op.extent[1] == 1 && f[2] == 1 && t[3] == 1 && t[2] == op.extent[3]) {
    kernels_.transpose(from, f[3], to, op.extent[2], op.extent[3]);
    return;
  }
  for (int i = 0; i < op.extent[0]; ++i)
    for (int j = 0; j < op.extent[1]; ++j)
      for (int k = 0; k < op.extent[2]; ++k)
        for (int l = 0; l < op.extent[3]; ++l)
          to[i * t[0] + j * t[1] + k * t[2] + l * t[3]] = from[i * f[0] + j * f[1] + k * f[2] + l * f[3]];
}

void Executor::execute(const NormOp& op, int task, const Worker& worker) {
  const auto count = static_cast<std::size_t>(length(op.stretch, task));
  *at(op.out, task, worker) = static_cast<float>(kernels_.sumOfSquares(at(op.gradient, task, worker), count));
}

void Executor::execute(const AdamOp& op, int task, const Worker& worker) {
  const float* norms = at(op.norms, task, worker);
  double total = 0;
  for (int i = 0; i < op.normCount; ++i) total += static_cast<double>(norms[i]);
  if (!std::isfinite(total)) {
    failed_[static_cast<std::size_t>(op.failure)].store(true, std::memory_order_relaxed);
    return;
  }
  const double t = static_cast<double>(*at(op.step, task, worker)) + 1;
  const double rate = static_cast<double>(*at(op.rate, task, worker));
  const double clip = static_cast<double>(op.clipNorm);
  Adam adam;
  adam.p = at(op.p, task, worker);
  adam.first = at(op.first, task, worker);
  adam.second = at(op.second, task, worker);
  adam.gradient = at(op.gradient, task, worker);
  adam.scale = std::isinf(clip) ? 1.0f : static_cast<float>(std::min(1.0, clip / (std::sqrt(total) + 1e-6)));
  adam.beta1 = op.beta1;
  adam.beta2 = op.beta2;
  adam.epsilon = op.epsilon;
  adam.stepSize = static_cast<float>(rate / (1 - std::pow(static_cast<double>(op.beta1), t)));
  adam.secondScale = static_cast<float>(1 / std::sqrt(1 - std::pow(static_cast<double>(op.beta2), t)));
  adam.decay = static_cast<float>(1 - rate * static_cast<double>(op.decay));
  kernels_.adam(adam, static_cast<std::size_t>(length(op.stretch, task)));
}

void Executor::execute(const PolyakOp& op, int task, const Worker& worker) {
  kernels_.polyak(at(op.target, task, worker), at(op.source, task, worker), *at(op.tau, task, worker),
                  static_cast<std::size_t>(length(op.stretch, task)));
}

void Executor::execute(const StepOp& op, int task, const Worker& worker) {
  if (!failed_[static_cast<std::size_t>(op.failure)].load(std::memory_order_relaxed)) *at(op.step, task, worker) += 1;
}

void Executor::checkIndices() const {
  for (const IndexCheck& check : plan_.indexChecks) {
    const auto* index = reinterpret_cast<const std::int32_t*>(slots_[static_cast<std::size_t>(check.slot)]);
    for (int i = 0; i < check.count; ++i) {
      const std::int32_t value = index[check.offset + i * check.stride];
      if (value < 0 || value >= check.limit) {
        throw Error("SHAPE", "takeMembers: index " + std::to_string(value) + " is outside 0.." +
                                 std::to_string(check.limit - 1));
      }
    }
  }
}

int Executor::firstFailure() const {
  for (std::size_t i = 0; i < failed_.size(); ++i) {
    if (failed_[i].load(std::memory_order_relaxed)) return static_cast<int>(i);
  }
  for (std::size_t j = 0; j < plan_.outputs.size(); ++j) {
    const auto slot = static_cast<std::size_t>(plan_.outputs[j]);
    const float* values = slots_[slot];
    // x - x is 0 for finite numbers and NaN for the rest.
    float sum = 0;
    // NOLINTNEXTLINE(misc-redundant-expression)
    for (std::size_t i = 0; i < plan_.buffers[slot].length; ++i) sum += values[i] - values[i];
    if (sum != 0.0f) return plan_.failures + static_cast<int>(j);
  }
  return -1;
}

}  // namespace vernier::nn
