import { join } from 'node:path';
import type { ModelSource } from '#core/model';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import type { ScenePose } from '#env/renderer';
import { packageRoot } from '#native/addon';
import { modelNames } from '#native/modelNames';
import { composeModel } from '#spec/model';
import { loadTask } from '#spec/task';

/** What is drawn: a model with poses that differ from frame to frame. */
export interface Scene {
  readonly name: string;
  readonly model: ModelSource;
  readonly poses: readonly ScenePose[];
}

const POSES = 60;

async function humanoid(): Promise<Scene> {
  const model = composeModel(join(packageRoot, 'bench/models/humanoid.xml'));
  const { nq } = await modelNames(model);
  const poses = Array.from({ length: POSES }, (_, t) => {
    const qpos = Float64Array.from({ length: nq }, (_, i) => (i < 7 ? 0 : 0.4 * Math.sin(i + 0.1 * t)));
    qpos.set([0.005 * t, 0, 1.28, 1]);
    return { qpos };
  });
  return { name: 'humanoid', model, poses };
}

/** The first moments of the expert's episode. */
async function episode(name: string): Promise<Scene> {
  const task = await loadTask(name);
  const env = await makeEnv(task, { environments: 1, seed: 1, threads: 1, autoReset: false });
  const expert = new Expert(task, env, 1);
  env.reset({ seed: 1 });
  expert.reset();
  const poses: ScenePose[] = [];
  for (let t = 0; t < POSES; t++) {
    poses.push(env.readCopy(0));
    expert.act(env.action);
    env.step();
  }
  env.close();
  return { name, model: task.model, poses };
}

export async function scenes(): Promise<Scene[]> {
  return [await humanoid(), await episode('peg_insertion'), await episode('nut_assembly')];
}

/** Changes to a scene or to how it is drawn, each of which takes one cost away or adds one. */
export const variants = {
  'with 28 slices and 16 stacks': { coarse: false },
  'with 4 samples per pixel': { samples: 4 },
  'with shadows and reflections': { shadows: true },
  'without the sky': { without: /<texture[^>]*skybox[^>]*>/g },
  'without planes': { without: /<geom[^>]*type="plane"[^>]*>/g },
  'without round bodies and boxes': {
    without:
      /<geom(?![^>]*type="(?:plane|mesh)")[^>]*>|<(?:free)?joint[^>]*>|<equality>[\s\S]*?<\/equality>|<actuator>[\s\S]*?<\/actuator>|<tendon>[\s\S]*?<\/tendon>|<contact>[\s\S]*?<\/contact>|<sensor>[\s\S]*?<\/sensor>/g,
    still: true,
  },
  nothing: { without: /^[\s\S]*$/, still: true },
} as const;
