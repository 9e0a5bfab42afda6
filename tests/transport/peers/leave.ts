import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { commandQuality } from '#transport/robotTransport';

/* A node with open endpoints under a stream of messages that leaves in the way its argument says, on the main thread
 * or, with `worker-` before it, in as many workers as asked for. The parent sees by `matched()` when it is gone. */

const [way = '', workers = '1'] = process.argv.slice(2);
const codec = standardCodec('std_msgs/msg/Int64');

async function run(how: string): Promise<void> {
  const transport = await openTransport({ node: '/leaver' });
  transport.publisher('/left', 'std_msgs/msg/Int64', commandQuality);
  transport.service('/left', 'std_srvs/srv/Trigger', () => new Promise(() => {}));
  const stream = await openTransport({ node: '/stream' });
  const publisher = stream.publisher('/stream', 'std_msgs/msg/Int64', commandQuality);
  let count = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 20; i++) publisher.write(codec.encode({ data: 1n }));
  }, 1);
  transport.subscriber('/stream', 'std_msgs/msg/Int64', commandQuality, () => {
    if (++count !== 100) return;
    if (how === 'terminate') parentPort?.postMessage('running');
    if (how === 'exit') process.exit(0);
    if (how === 'throw') throw new Error('on purpose');
    if (how === 'kill') process.kill(process.pid, 'SIGKILL');
    if (how !== 'close') return;
    clearInterval(timer);
    void transport.close();
    void stream.close();
  });
}

if (!isMainThread) await run(workerData as string);
else if (!way.startsWith('worker-')) await run(way);
else {
  const self = JSON.stringify(import.meta.url);
  const loader = JSON.stringify(new URL('../../tools/typescript.mjs', import.meta.url));
  const entry = `import { register } from 'node:module'; register(${loader}); await import(${self});`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(entry)}`);
  for (let i = 0; i < Number(workers); i++) {
    const worker = new Worker(url, { workerData: way.slice('worker-'.length) });
    worker.on('error', ({ message }) => console.log(`worker: ${message}`));
    worker.on('message', () => worker.terminate());
  }
}
