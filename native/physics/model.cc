#include "physics/model.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vernier::physics {
namespace {

struct SpecDeleter {
  void operator()(mjSpec* spec) const { mj_deleteSpec(spec); }
};

// A virtual file system for the length of one compilation.
class Files {
 public:
  explicit Files(std::span<const Asset> assets) {
    mj_defaultVFS(&vfs_);
    for (const Asset& asset : assets) {
      if (mj_addBufferVFS(&vfs_, asset.name.c_str(), asset.bytes.data(), static_cast<int>(asset.bytes.size())) != 0) {
        mj_deleteVFS(&vfs_);
        throw Error("PHYSICS", "MuJoCo did not take the asset " + asset.name);
      }
    }
  }
  ~Files() { mj_deleteVFS(&vfs_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  mjVFS* get() { return &vfs_; }

 private:
  mjVFS vfs_;
};

void onMessage(const mjLogMessage* message) {
  if (message->level != mjLOG_ERROR) return;
  detail::Trap* trap = detail::threadTrap();
  if (trap == nullptr) {
    std::fprintf(stderr, "MuJoCo: %s\n", message->subject);
    return;
  }
  std::snprintf(trap->message, sizeof(trap->message), "%s", message->subject);
  std::longjmp(trap->jump, 1);
}

#if defined(__linux__) && defined(MADV_HUGEPAGE)
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmall = std::size_t{16} << 10;

// Models and simulations on huge pages: where the system puts small ones in memory decides how many of a step's cache
// lines compete for the same sets, and speeds then differ by some per cent from start to start.
void* allocate(std::size_t size) {
  if (size < kSmall) return std::aligned_alloc(64, (size + 63) / 64 * 64);
  const std::size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, rounded);
  if (memory != nullptr) madvise(memory, rounded, MADV_HUGEPAGE);
  return memory;
}
#endif

}  // namespace

namespace detail {
Trap*& threadTrap() {
  static thread_local Trap* trap = nullptr;
  return trap;
}
Trap& threadStorage() {
  static thread_local Trap storage;
  return storage;
}
}  // namespace detail

void installMujoco() {
  if (mj_version() != mjVERSION_HEADER) {
    throw Error("BACKEND",
                "built against MuJoCo " + std::to_string(mjVERSION_HEADER) + ", loaded " + mj_versionString());
  }
  mju_setLogHandler(onMessage);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  mju_user_malloc = allocate;
  mju_user_free = std::free;
#endif
}

ModelPtr loadModel(const std::string& xml, std::span<const Asset> assets) {
  Files files(assets);
  char message[1024] = "";
  mjSpec* parsed = nullptr;
  mjModel* compiled = nullptr;
  const char* fatal = trapped([&] {
    parsed = mj_parseXMLString(xml.c_str(), files.get(), message, sizeof(message));
    if (parsed != nullptr) compiled = mj_compile(parsed, files.get());
  });
  std::unique_ptr<mjSpec, SpecDeleter> spec(parsed);
  ModelPtr model(compiled);
  if (fatal != nullptr) throw Error("PHYSICS", fatal);
  if (!spec) throw Error("PHYSICS", message);
  if (!model) throw Error("PHYSICS", mjs_getError(spec.get()));
  return model;
}

ModelPtr copyModel(const mjModel& model) {
  mjModel* copy = nullptr;
  const char* fatal = trapped([&] { copy = mj_copyModel(nullptr, &model); });
  if (fatal != nullptr || copy == nullptr) throw Error("PHYSICS", "MuJoCo could not copy the model");
  return ModelPtr(copy);
}

DataPtr makeData(const mjModel& model) {
  mjData* data = nullptr;
  const char* fatal = trapped([&] { data = mj_makeData(&model); });
  if (fatal != nullptr || data == nullptr) {
    throw Error("PHYSICS", std::string("MuJoCo could not allocate a simulation: ") + (fatal ? fatal : "out of memory"));
  }
  return DataPtr(data);
}

const char* warningText(const mjData& data) {
  if (data.warning[mjWARN_BADQPOS].number) return "the positions diverged (NaN or huge qpos)";
  if (data.warning[mjWARN_BADQVEL].number) return "the velocities diverged (NaN or huge qvel)";
  if (data.warning[mjWARN_BADQACC].number) return "the accelerations diverged (NaN or huge qacc)";
  if (data.warning[mjWARN_BADCTRL].number) return "a control is not finite";
  if (data.warning[mjWARN_INERTIA].number) return "the inertia matrix is singular";
  if (data.warning[mjWARN_CONTACTFULL].number) return "too many contacts for the model's memory";
  if (data.warning[mjWARN_CNSTRFULL].number) return "too many constraints for the model's memory";
  return nullptr;
}

}  // namespace vernier::physics
