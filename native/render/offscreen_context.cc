#include "render/offscreen_context.h"

#include <dlfcn.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "core/error.h"

namespace vernier::render {

namespace {

// Of EGL/egl.h and EGL/eglext.h, whose packages need not be installed.
constexpr std::uint32_t kPlatformSurfacelessMesa = 0x31DD;
constexpr std::uint32_t kOpenGlApi = 0x30A2;
constexpr std::int32_t kNone = 0x3038;
constexpr std::int32_t kConfigAttributes[] = {
    0x3024, 8,       // red size
    0x3023, 8,       // green size
    0x3022, 8,       // blue size
    0x3025, 24,      // depth size
    0x3033, 0x0001,  // surface type: pbuffer
    0x3040, 0x0008,  // renderable type: OpenGL
    kNone,
};

[[noreturn]] void missing(const std::string& what) { throw Error("BACKEND", "cannot render offscreen: " + what); }

std::string hex(std::int32_t code) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "EGL error 0x";
  for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[(code >> shift) & 15];
  return text;
}

}  // namespace

struct OffscreenContext::Egl {
  void* (*getProcAddress)(const char*);
  std::int32_t (*getError)();
  std::uint32_t (*initialize)(void*, std::int32_t*, std::int32_t*);
  std::uint32_t (*chooseConfig)(void*, const std::int32_t*, void**, std::int32_t, std::int32_t*);
  std::uint32_t (*bindApi)(std::uint32_t);
  void* (*createContext)(void*, void*, void*, const std::int32_t*);
  std::uint32_t (*destroyContext)(void*, void*);
  std::uint32_t (*makeCurrent)(void*, void*, void*, void*);
  void* (*getPlatformDisplay)(std::uint32_t, void*, const std::int32_t*);

  static const Egl& load() {
    // Once per process, and open until it ends: drivers do not survive being unloaded. MuJoCo looks the
    // OpenGL functions up among the process's global symbols.
    static const Egl egl;
    return egl;
  }

 private:
  Egl() {
    void* library = dlopen("libEGL.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) missing(dlerror());
    const auto resolve = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (function == nullptr) missing(std::string("libEGL has no ") + name);
    };
    resolve(getProcAddress, "eglGetProcAddress");
    resolve(getError, "eglGetError");
    resolve(initialize, "eglInitialize");
    resolve(chooseConfig, "eglChooseConfig");
    resolve(bindApi, "eglBindAPI");
    resolve(createContext, "eglCreateContext");
    resolve(destroyContext, "eglDestroyContext");
    resolve(makeCurrent, "eglMakeCurrent");
    getPlatformDisplay = reinterpret_cast<decltype(getPlatformDisplay)>(getProcAddress("eglGetPlatformDisplayEXT"));
    if (getPlatformDisplay == nullptr) missing("libEGL has no eglGetPlatformDisplayEXT");
  }
};

OffscreenContext::OffscreenContext() : egl_(&Egl::load()) {
  display_ = egl_->getPlatformDisplay(kPlatformSurfacelessMesa, nullptr, nullptr);
  if (display_ == nullptr) missing("no surfaceless Mesa display (" + hex(egl_->getError()) + ")");
  // The display is the process's, shared by every context, so nobody terminates it.
  std::int32_t major = 0, minor = 0;
  if (!egl_->initialize(display_, &major, &minor)) missing("no Mesa driver (" + hex(egl_->getError()) + ")");
  void* config = nullptr;
  std::int32_t configs = 0;
  if (!egl_->chooseConfig(display_, kConfigAttributes, &config, 1, &configs) || configs == 0) {
    missing("the driver offers no OpenGL configuration");
  }
  if (!egl_->bindApi(kOpenGlApi)) missing("the driver offers no OpenGL");
  context_ = egl_->createContext(display_, config, nullptr, nullptr);
  if (context_ == nullptr) missing("no OpenGL context (" + hex(egl_->getError()) + ")");
}

OffscreenContext::~OffscreenContext() { egl_->destroyContext(display_, context_); }

OffscreenContext::Scope::Scope(const OffscreenContext& context) : context_(context) {
  const auto& egl = *context_.egl_;
  if (!egl.makeCurrent(context_.display_, nullptr, nullptr, context_.context_)) {
    missing("the context cannot be made current (" + hex(egl.getError()) + ")");
  }
}

OffscreenContext::Scope::~Scope() { context_.egl_->makeCurrent(context_.display_, nullptr, nullptr, nullptr); }

}  // namespace vernier::render
