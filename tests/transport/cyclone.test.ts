import { describe } from 'vitest';
import { openTransport } from '#transport/openTransport';
import { transportContract } from './contract/contract.js';
import { cycloneMissing, isolate } from './loopback.js';

const { domain } = isolate();

describe.skipIf(cycloneMissing)(`over Cyclone DDS${cycloneMissing ? ` (${cycloneMissing})` : ''}`, () => {
  transportContract((node) => openTransport({ node, domain }));
});
