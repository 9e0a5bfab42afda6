import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { ScenePose } from '#env/renderer';
import { type CameraTask, TaskCameras } from '#env/taskCameras';
import { loadTask } from '#spec/task';

/* Draws a task's cameras on the main thread, then in two workers at once, and prints the hashes that each of them got, or the
 * error. Usage: drawing.ts TASK OVERRIDE... */

interface Work {
  readonly task: CameraTask;
  readonly poses: readonly ScenePose[];
}

function draw({ task, poses }: Work): string[] {
  const cameras = TaskCameras.open(task);
  try {
    return poses.flatMap((pose) => cameras.draw(pose).views.map(({ hash }) => hash));
  } finally {
    cameras.close();
  }
}

async function inWorker(work: Work): Promise<string[]> {
  const self = JSON.stringify(import.meta.url);
  const loader = JSON.stringify(new URL('../tools/typescript.mjs', import.meta.url));
  const entry = `import { register } from 'node:module'; register(${loader}); await import(${self});`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(entry)}`);
  const worker = new Worker(url, { workerData: work });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function compare(): Promise<void> {
  const [file = '', ...overrides] = process.argv.slice(2);
  const { model, cameras, names, horizon } = await loadTask(file, overrides);
  const task: CameraTask = { model: { xml: model.xml, files: model.files }, cameras };
  const poses = Array.from({ length: 4 }, (_, step) => ({
    qpos: Float64Array.from({ length: names.nq }, (_, i) => 0.2 * Math.sin(i + step)),
  }));
  try {
    const main = draw({ task, poses });
    const workers = await Promise.all([inWorker({ task, poses }), inWorker({ task, poses })]);
    console.log(JSON.stringify({ horizon, main, workers }));
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message: string; hint?: string };
    console.log(JSON.stringify({ horizon, code, message, hint }));
  }
}

if (isMainThread) await compare();
else parentPort!.postMessage(draw(workerData as Work));
