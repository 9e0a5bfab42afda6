// An OpenGL context without a window or a display, through EGL's surfaceless Mesa platform. libEGL is opened
// at run time, so that the addon builds and loads where there is none.
#pragma once

namespace vernier::render {

class OffscreenContext {
 public:
  // Throws BACKEND when libEGL or a software driver is missing.
  OffscreenContext();
  ~OffscreenContext();
  OffscreenContext(const OffscreenContext&) = delete;
  OffscreenContext& operator=(const OffscreenContext&) = delete;

  // The context is current on the calling thread while a Scope lives.
  class Scope {
   public:
    explicit Scope(const OffscreenContext& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const OffscreenContext& context_;
  };

 private:
  struct Egl;
  const Egl* egl_;
  void* display_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace vernier::render
