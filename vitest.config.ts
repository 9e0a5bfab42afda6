import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['vernier-src'] },
  ssr: { resolve: { conditions: ['vernier-src'] } },
  test: { include: ['tests/**/*.test.ts'], testTimeout: 60_000 },
});
