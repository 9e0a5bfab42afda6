import { defineConfig } from 'vitest/config';

/** Milliseconds: many times what any test takes, since machines that tests share are slow at times. */
const PATIENCE = 300_000;

export default defineConfig({
  resolve: { conditions: ['vernier-src'] },
  ssr: { resolve: { conditions: ['vernier-src'] } },
  test: { include: ['tests/**/*.test.ts'], testTimeout: PATIENCE, hookTimeout: PATIENCE },
});
