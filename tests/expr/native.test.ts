import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelNames, ModelSource } from '#core/model';
import { PhiloxStream } from '#core/philox';
import { ExpressionCompiler } from '#expr/compile';
import { decodeProgram, evaluateProgram, type ModelView } from '#expr/evaluate';
import type { RobotNames } from '#expr/model';
import { HEADER_WORDS, header, INSTRUCTION_WORDS } from '#expr/program';
import { textSource } from '#expr/source';
import { addonStatus } from '#native/addon';
import { modelNames } from '#native/modelNames';

/** The native virtual machine against its TypeScript twin, MuJoCo's own functions, and hostile bytes. */

interface State {
  readonly qpos: Float64Array;
  readonly qvel: Float64Array;
  readonly ctrl: Float64Array;
  readonly action: Float32Array;
  readonly command: Float64Array;
  readonly time: number;
  readonly step: number;
}
interface Probe {
  evaluate(code: Float64Array, state: State, repeat: number): Float64Array;
  arrays(): Record<string, Float64Array> & { readonly contacts: ModelView['contacts'] };
}
type ProbeClass = new (source: { xml: string; files: Record<string, Uint8Array> }) => Probe;

const xml = `
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 0.1"/>
    <body name="link1" pos="0 0 0.5" quat="0.9 0.1 0.2 0.3">
      <joint name="shoulder" axis="0 0 1" range="-3 3" limited="true"/>
      <geom name="upper" type="capsule" size="0.03" fromto="0 0 0 0.3 0 0"/>
      <body name="link2" pos="0.3 0 0">
        <joint name="elbow" axis="0 1 0"/>
        <geom name="lower" type="capsule" size="0.03" fromto="0 0 0 0.2 0 0" quat="1 0 0 0"/>
        <site name="tool" pos="0.2 0.01 0.02" quat="0.5 0.5 -0.5 0.5"/>
        <body name="finger" pos="0.2 0 0">
          <joint name="slide" type="slide" axis="1 0 0"/>
          <geom name="pad" type="box" size="0.01 0.01 0.01"/>
        </body>
      </body>
    </body>
    <body name="cube" pos="0 0 0.05">
      <freejoint name="cube_free"/>
      <geom name="cube_geom" type="box" size="0.05 0.05 0.05"/>
    </body>
    <body name="knob" pos="0 0.5 0.5">
      <joint name="ball" type="ball"/>
      <geom name="knob_geom" type="sphere" size="0.02" pos="0.1 0 0"/>
    </body>
  </worldbody>
  <actuator>
    <position name="shoulder_motor" joint="shoulder" kp="50"/>
    <position name="elbow_motor" joint="elbow" kp="50"/>
    <motor name="finger_motor" joint="slide"/>
  </actuator>
  <sensor>
    <velocimeter name="tool_speed" site="tool"/>
    <gyro name="tool_gyro" site="tool"/>
    <framelinvel name="tool_linvel" objtype="site" objname="tool"/>
    <frameangvel name="tool_angvel" objtype="site" objname="tool"/>
    <framequat name="tool_quat" objtype="site" objname="tool"/>
    <touch name="pad_touch" site="tool"/>
  </sensor>
</mujoco>`;
const source: ModelSource = { xml, files: new Map(), hash: '' };
const robot: RobotNames = {
  endEffector: 0,
  armJoints: [0, 1],
  armActuators: [0, 1],
  gripper: { width: [2], joints: [2], actuators: [2] },
  actionLength: 4,
};

const everything = [
  'cube.position',
  'cube.quaternion',
  'cube.velocity',
  'cube.angular_velocity',
  'tool.quaternion',
  'tool.velocity',
  'tool.angular_velocity',
  'ee.yaw',
  'lower.position',
  'geom(lower).quaternion',
  'geom(knob_geom).velocity',
  'relative(ee, cube)',
  'relative(cube, finger).yaw',
  'rotate(inverse(cube.quaternion), ee.position - cube.position)',
  'cube.quaternion * ee.quaternion',
  'angle(cube, ee)',
  'angle(ee.velocity, cube.position)',
  'distance(cube, tool)',
  'cross(ee.velocity, cube.position)',
  'dot(ee.velocity, cube.position)',
  'shoulder.position',
  'joint(slide).velocity',
  'ball.quaternion',
  'ball.angular_velocity',
  'arm.position',
  'arm.velocity',
  'arm.force',
  'arm.command',
  'gripper.width',
  'gripper.command',
  'finger_motor.control',
  'finger_motor.force',
  'tool_linvel',
  'pad_touch',
  'action',
  'time',
  'step',
  'contact(cube, floor)',
  'contact(cube)',
  'force(floor, cube)',
  'contact(link1, cube_geom)',
  'if(cube.position.z < 0.06, [1, 2, 3], ee.position / 1 m)',
  'min(abs(cube.position), 0.1) + max(ee.position, -1)',
  'clamp(ee.position, -0.1, [0.1, 0.2, 0.3])',
  'sin(arm.position) + cos(arm.position)',
  'exp(-distance(cube, ee) / 0.1 m)',
  'log(1 + time / 1 s)',
  'tanh(ee.position / 0.3 m)',
  'atan2(ee.position.y, ee.position.x)',
  'sqrt(abs(cube.position.x * ee.position.y))',
  '(cube.position / 1 m) ^ 3',
  'not (time > 1 s and step < 5 or ee.yaw == 0 and ee.yaw != 1)',
];

const status = addonStatus();
const ready = status.addon?.ExpressionProbe !== undefined;
const makeProbe = () => new (status.addon!.ExpressionProbe as ProbeClass)({ xml, files: {} });

async function compileAll(
  texts: readonly string[],
): Promise<{ code: Float64Array; names: ModelNames; outputs: number }> {
  const names = await modelNames(source);
  const compiler = new ExpressionCompiler(names, robot);
  for (const text of texts) {
    const place = textSource(text);
    compiler.output('observation', text, compiler.value(place), place);
  }
  const program = compiler.finish();
  return { code: program.code, names, outputs: program.outputs };
}

function randomState(names: ModelNames, seed: number): State {
  const random = new PhiloxStream(seed);
  const array = (length: number) => Float64Array.from({ length }, () => 2 * random.uniform() - 1);
  const qpos = array(names.nq);
  for (const [joint, type] of names.jointType.entries()) {
    const at = names.jointQposAddress[joint]! + (type === 0 ? 3 : 0);
    if (type > 1) continue;
    const length = Math.hypot(...qpos.subarray(at, at + 4));
    for (let i = 0; i < 4; i++) qpos[at + i]! /= length;
    if (type === 0) qpos.set([0.3 * qpos[0]!, 0.3 * qpos[1]!, 0.04 + 0.02 * random.uniform()], at - 3);
  }
  return {
    qpos,
    qvel: array(names.nv),
    ctrl: array(names.nu),
    action: Float32Array.from(array(4)),
    command: array(3),
    time: random.uniform() * 3,
    step: Math.floor(random.uniform() * 10),
  };
}

describe.skipIf(!ready)('the native virtual machine', () => {
  it('computes what the TypeScript twin computes', async () => {
    const { code, names, outputs } = await compileAll(everything);
    const probe = makeProbe();
    let touching = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const state = randomState(names, seed);
      const native = probe.evaluate(code, state, 1);
      const view = { ...sizes(names), ...probe.arrays(), ...state } as unknown as ModelView;
      touching += Math.min(view.contacts.count, 1);
      const twin = new Float64Array(outputs);
      evaluateProgram(decodeProgram(code, view), view, twin);
      for (const [i, value] of native.entries()) {
        expect(Math.abs(value - twin[i]!), `output ${i} of seed ${seed}`).toBeLessThanOrEqual(
          1e-13 * (1 + Math.abs(value)),
        );
      }
    }
    expect(touching).toBeGreaterThan(5);
  });

  it('agrees with the sensors of MuJoCo on velocities and orientations', async () => {
    const { code, names } = await compileAll([
      'tool.velocity - tool_linvel',
      'tool.angular_velocity - tool_angvel',
      'rotate(inverse(tool.quaternion), tool.velocity) - tool_speed',
      'rotate(inverse(tool.quaternion), tool.angular_velocity) - tool_gyro',
      'angle(tool.quaternion, tool_quat) / 1 rad',
    ]);
    const probe = makeProbe();
    for (let seed = 1; seed <= 10; seed++) {
      const difference = probe.evaluate(code, randomState(names, seed), 1);
      for (const [i, value] of difference.entries())
        expect(Math.abs(value), `output ${i}`).toBeLessThan(1e-7);
    }
  });

  it('weighs the cube that stands on the floor', async () => {
    const { code, names } = await compileAll([
      'force(cube, floor)',
      'contact(floor, cube)',
      'contact(finger)',
    ]);
    const state = randomState(names, 3);
    state.qpos.set([0.9, -0.9, 0.0499, 1, 0, 0, 0], 3);
    state.qvel.fill(0);
    const [force, touches, finger] = makeProbe().evaluate(code, state, 1);
    expect(force).toBeGreaterThan(0);
    expect([touches, finger]).toEqual([1, 0]);
  });

  it('runs a task of 40 outputs faster than its twin', async () => {
    const { code, names, outputs } = await compileAll([
      'ee.position',
      'ee.quaternion',
      'arm.position',
      'arm.velocity',
      'cube.position - ee.position',
      'relative(ee, cube)',
      'cube.velocity',
      'norm(cube.position - ee.position)',
      'gripper.width',
      'cube.position.z > 0.1 and contact(cube, pad)',
      'exp(-distance(cube, ee) / 0.1 m)',
      'abs(atan2(sin(cube.yaw - ee.yaw), cos(cube.yaw - ee.yaw)))',
      'ee.velocity',
      'ee.angular_velocity',
      'action',
    ]);
    const probe = makeProbe();
    const state = randomState(names, 5);
    probe.evaluate(code, state, 1000);
    const view = { ...sizes(names), ...probe.arrays(), ...state } as unknown as ModelView;
    const decoded = decodeProgram(code, view);
    const out = new Float64Array(outputs);
    const native = microseconds(20_000, (repeat) => probe.evaluate(code, state, repeat));
    const twin = microseconds(2000, (repeat) => {
      for (let i = 0; i < repeat; i++) evaluateProgram(decoded, view, out);
    });
    const instructions = code[header.instructions];
    console.log(
      `expressions: ${outputs} outputs, ${instructions} instructions: ${native.toFixed(3)} us native, ${twin.toFixed(3)} us twin`,
    );
    expect(native).toBeLessThan(twin);
  });
});

describe.skipIf(!ready)('hostile bytecode', () => {
  /** Either refused with a coded error, or run to an end: it must never read or write outside. */
  function survives(probe: Probe, code: Float64Array, state: State): 'refused' | 'ran' {
    try {
      probe.evaluate(code, state, 1);
      return 'ran';
    } catch (error) {
      expect((error as { code?: string }).code).toMatch(/^(EXPRESSION|SHAPE)$/);
      return 'refused';
    }
  }

  it('is refused, one changed word at a time', async () => {
    const { code, names } = await compileAll(everything);
    const probe = makeProbe();
    const state = randomState(names, 1);
    const words = fc.oneof(
      fc.constantFrom(
        -1,
        0,
        1,
        2,
        3,
        4,
        63,
        64,
        80,
        255,
        256,
        1e6,
        2 ** 31,
        -(2 ** 31),
        2 ** 53,
        0.5,
        Number.NaN,
        Infinity,
      ),
      fc.integer({ min: -10, max: 1000 }),
      fc.double(),
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.nat(code.length - 1), words, (at, word) => {
        const bad = code.slice();
        bad[at] = word;
        if (survives(probe, bad, state) === 'refused') refused++;
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(3000);
  });

  it('is refused when it is cut, extended or made of noise', async () => {
    const { code, names } = await compileAll(everything);
    const probe = makeProbe();
    const state = randomState(names, 1);
    for (let length = 0; length < code.length; length += 7) {
      expect(survives(probe, code.slice(0, length), state)).toBe('refused');
    }
    expect(survives(probe, Float64Array.from([...code, 0]), state)).toBe('refused');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 90 }), { maxLength: 300 }), (body) => {
        const noise = code.slice(0, HEADER_WORDS + body.length);
        noise.set(body, HEADER_WORDS);
        noise[header.constants] = 0;
        noise[header.instructions] = Math.floor(body.length / INSTRUCTION_WORDS);
        noise[header.outputs] = body.length % INSTRUCTION_WORDS;
        survives(probe, noise, state);
      }),
      { numRuns: 2000 },
    );
  });

  it('is refused on another model, and with too short an action', async () => {
    const { code, names } = await compileAll(['action', 'arm.command']);
    const probe = makeProbe();
    const state = randomState(names, 1);
    const other = code.slice();
    other[header.nq]! += 1;
    expect(() => probe.evaluate(other, state, 1)).toThrow(/compiled for another model: nq is/);
    expect(() => probe.evaluate(code, { ...state, action: new Float32Array(3) }, 1)).toThrow(/too short/);
    expect(() => probe.evaluate(code, { ...state, command: new Float64Array(1) }, 1)).toThrow(/too short/);
  });
});

/** The best of five bursts, per repetition. */
function microseconds(repeat: number, burst: (repeat: number) => void): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    burst(repeat);
    return performance.now() - start;
  });
  return (Math.min(...times) * 1e3) / repeat;
}

function sizes(
  names: ModelNames,
): Pick<ModelView, 'nq' | 'nv' | 'nu' | 'nbody' | 'nsite' | 'ngeom' | 'nsensordata'> {
  return {
    nq: names.nq,
    nv: names.nv,
    nu: names.nu,
    nbody: names.body.length,
    nsite: names.site.length,
    ngeom: names.geom.length,
    nsensordata: names.nsensordata,
  };
}
