import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';

/** A process of its own, since the library ends the process on some errors: chat completions over the tiny model, in the
 * words of OpenAI's interface. `node server.ts FOLDER`, the folder holding model.gguf and projector.gguf; it sends its
 * address to whoever forked it when it listens, and ends with them. With CHAT_SERVER_KEY in the environment it asks for
 * that key. */

const PACKAGE = '@fugood/llama.node';
const NAME = 'tiny-vlm';
/** No fewer tokens than the model has: the one that was drawn is among them then. */
const VOCABULARY = 1000;

interface Completion {
  readonly text: string;
  readonly tokens_evaluated: number;
  readonly tokens_predicted: number;
  readonly completion_probabilities?: readonly {
    readonly content: string;
    readonly probs: readonly { readonly tok_str: string; readonly prob: number }[];
  }[];
}

interface Context {
  initMultimodal(options: { readonly path: string; readonly use_gpu: boolean }): Promise<boolean>;
  completion(options: Readonly<Record<string, unknown>>): Promise<Completion>;
}

const part = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('image_url'),
    image_url: z.object({ url: z.string().startsWith('data:image/') }),
  }),
]);

const chatRequest = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(part)]) })).min(1),
  max_tokens: z.number().int().positive().default(64),
  temperature: z.number().nonnegative().default(1),
  seed: z.number().int().default(0),
  logprobs: z.boolean().default(false),
  top_logprobs: z.number().int().min(0).max(VOCABULARY).default(0),
  response_format: z
    .object({
      type: z.literal('json_schema'),
      json_schema: z.object({ schema: z.record(z.string(), z.unknown()) }),
    })
    .optional(),
});

type ChatRequest = z.output<typeof chatRequest>;

async function openModel(folder: string): Promise<Context> {
  const { loadModel } = (await import(PACKAGE)) as {
    loadModel(options: Readonly<Record<string, unknown>>): Promise<Context>;
  };
  const context = await loadModel({
    model: join(folder, 'model.gguf'),
    n_ctx: 4096,
    n_threads: 1,
    n_gpu_layers: 0,
    lib_variant: 'default',
  });
  if (!(await context.initMultimodal({ path: join(folder, 'projector.gguf'), use_gpu: false })))
    throw new Error('the projector could not be loaded');
  return context;
}

function promptOf({ messages }: ChatRequest): {
  readonly prompt: string;
  readonly pictures: readonly string[];
} {
  const pictures: string[] = [];
  const lines = messages.map(({ role, content }) => {
    const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content;
    const texts = parts.map((piece) => {
      if (piece.type === 'text') return piece.text;
      pictures.push(piece.image_url.url);
      return '<__media__>';
    });
    return `${role}: ${texts.join('')}\n`;
  });
  return { prompt: `${lines.join('')}assistant: `, pictures };
}

async function complete(request: ChatRequest): Promise<unknown> {
  const { prompt, pictures } = promptOf(request);
  const result = await completed({
    prompt,
    ...(pictures.length > 0 ? { media_paths: pictures } : {}),
    ...(request.response_format ? { response_format: request.response_format } : {}),
    n_predict: request.max_tokens,
    temperature: request.temperature,
    seed: request.seed,
    // No truncation of the distribution: what is told of the tokens is what the model thinks.
    top_k: 0,
    top_p: 1,
    min_p: 0,
    xtc_probability: 0,
    dry_multiplier: 0,
    n_probs: request.logprobs ? VOCABULARY : 0,
  });
  return {
    id: 'chatcmpl',
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: NAME,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: result.text },
        finish_reason: result.tokens_predicted >= request.max_tokens ? 'length' : 'stop',
        logprobs: request.logprobs ? { content: probabilitiesOf(result, request.top_logprobs) } : null,
      },
    ],
    usage: { prompt_tokens: result.tokens_evaluated, completion_tokens: result.tokens_predicted },
  };
}

/** A completion that ends sooner than the library expects, or throws, leaves its context busy for ever: another one is
 * opened then, and the old one is left alone. So is one that has added up many probabilities, all of which it hands out
 * each time. */
async function completed(options: Readonly<Record<string, unknown>>): Promise<Completion> {
  try {
    const result = await context.completion(options);
    if ((result.completion_probabilities?.length ?? 0) > 100) context = await openModel(process.argv[2]!);
    return result;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('in progress')) throw error;
    context = await openModel(process.argv[2]!);
    return context.completion(options);
  }
}

/** The library adds up the probabilities of all completions of a context: the last ones are this one's. */
function probabilitiesOf(
  { completion_probabilities: all = [], tokens_predicted: n }: Completion,
  most: number,
): unknown {
  const told = ({ tok_str: token, prob }: { readonly tok_str: string; readonly prob: number }) => ({
    token,
    logprob: Math.log(Math.max(prob, Number.MIN_VALUE)),
    bytes: [...Buffer.from(token)],
  });
  return all.slice(all.length - n).map(({ content, probs }) => {
    const chosen = probs.find(({ tok_str }) => tok_str === content) ?? { tok_str: content, prob: 0 };
    return { ...told(chosen), top_logprobs: probs.slice(0, most).map(told) };
  });
}

class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function parseRequest(body: string): ChatRequest {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new RequestError(400, 'the body is no JSON');
  }
  const parsed = chatRequest.safeParse(json);
  if (!parsed.success) throw new RequestError(400, z.prettifyError(parsed.error));
  if (parsed.data.model !== NAME) throw new RequestError(404, `there is no model ${parsed.data.model}`);
  return parsed.data;
}

async function answer(request: IncomingMessage): Promise<unknown> {
  const key = process.env.CHAT_SERVER_KEY;
  if (key !== undefined && request.headers.authorization !== `Bearer ${key}`)
    throw new RequestError(401, 'incorrect API key');
  if (request.method === 'GET' && request.url === '/v1/models')
    return { object: 'list', data: [{ id: NAME, object: 'model' }] };
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
    throw new RequestError(404, `there is no ${request.method} ${request.url}`);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const parsed = parseRequest(Buffer.concat(chunks).toString());
  const turn = running.then(() => complete(parsed));
  running = turn.catch(() => {});
  return turn;
}

/** The context completes one request at a time. */
let running: Promise<unknown> = Promise.resolve();

let context = await openModel(process.argv[2]!);
const server = createServer((request, response) => {
  const send = (status: number, body: unknown, to: ServerResponse = response) => {
    to.writeHead(status, { 'content-type': 'application/json' });
    to.end(JSON.stringify(body));
  };
  answer(request).then(
    (body) => send(200, body),
    (error: Error) =>
      send(error instanceof RequestError ? error.status : 500, { error: { message: error.message } }),
  );
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { readonly port: number };
  process.send!(`http://127.0.0.1:${port}/v1`);
});
process.on('disconnect', () => process.exit(0));
