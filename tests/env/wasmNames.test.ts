import { expect, it } from 'vitest';
import { wasmModelNames } from '#native/wasm/names';
import { loadTask } from '#spec/task';
import { hasNative } from './backends.js';

it.each(['peg_insertion', 'lift', 'drawer'])(
  'the WASM build knows the model of %s by all that the addon tells',
  async (name) => {
    const task = await loadTask(name);
    const names = await wasmModelNames(task.model);
    if (name === 'peg_insertion') {
      const [hand, peg] = ['hand', 'peg'].map((body) => names.body.indexOf(body));
      expect(names.weldBodies).toContainEqual(expect.arrayContaining([hand, peg]));
    } else expect(names.weldBodies).toEqual([]);
    if (hasNative) expect(names).toEqual(task.names);
  },
);
