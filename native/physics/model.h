// Owning pointers of MuJoCo's structures, loading, and MuJoCo errors as values.
#pragma once
#include <mujoco/mujoco.h>

#include <csetjmp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vernier::physics {

struct ModelDeleter {
  void operator()(mjModel* model) const { mj_deleteModel(model); }
};
struct DataDeleter {
  void operator()(mjData* data) const { mj_deleteData(data); }
};
using ModelPtr = std::unique_ptr<mjModel, ModelDeleter>;
using DataPtr = std::unique_ptr<mjData, DataDeleter>;

struct Asset {
  std::string name;
  std::span<const std::uint8_t> bytes;
};

// Checks the library's version against the headers and takes over MuJoCo's messages: errors go to the thread's trap,
// warnings are counted in mjData and not printed. Error BACKEND on a foreign library.
void installMujoco();

// Error PHYSICS with MuJoCo's message.
ModelPtr loadModel(const std::string& xml, std::span<const Asset> assets);
ModelPtr copyModel(const mjModel& model);
DataPtr makeData(const mjModel& model);

// Text of the first warning that means the data cannot be trusted, or nullptr.
const char* warningText(const mjData& data);

namespace detail {
struct Trap {
  std::jmp_buf jump;
  char message[1024];
};
Trap*& threadTrap();  // null outside trapped()
Trap& threadStorage();
}  // namespace detail

// Runs `body` and returns nullptr, or the text of the MuJoCo error that ended it, valid until this thread's next
// call; calls do not nest.
// MuJoCo leaves by longjmp: no object with a destructor may live in `body` across a MuJoCo call.
template <class Body>
const char* trapped(Body&& body) {
  detail::Trap*& active = detail::threadTrap();
  detail::Trap& trap = detail::threadStorage();
  active = &trap;
  if (setjmp(trap.jump) != 0) {
    active = nullptr;
    return trap.message;
  }
  body();
  active = nullptr;
  return nullptr;
}

}  // namespace vernier::physics
