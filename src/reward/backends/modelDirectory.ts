import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { VernierError } from '#core/errors';

const VARIANTS = ['', '_quantized', '_fp16', '_int8', '_uint8', '_q4', '_q4f16', '_bnb4'];
const LAYOUT =
  'expected an export as Hugging Face lays it out: vision_model.onnx and text_model.onnx (also in a folder onnx, also ' +
  'with an ending such as _quantized), tokenizer.json, preprocessor_config.json. Nothing is downloaded here: fetch it once';

/** A folder with an exported model. */
export class ModelDirectory {
  readonly path: string;

  /** @throws IO where there is none */
  constructor(path: string) {
    this.path = path;
    if (!existsSync(path) || !statSync(path).isDirectory()) {
      throw new VernierError('IO', `${path}: no such folder of a model`, {
        hint: LAYOUT,
        context: { file: path },
      });
    }
  }

  /** The path of a network: full precision before anything smaller, unless a variant is asked for.
   * @param name without .onnx @param variant what stands behind the name, such as `quantized` @throws IO */
  network(name: string, variant?: string): string {
    const endings = variant === undefined ? VARIANTS : [variant === '' ? '' : `_${variant}`];
    const candidates = endings.flatMap((ending) => [
      `${name}${ending}.onnx`,
      join('onnx', `${name}${ending}.onnx`),
    ]);
    const found = candidates.find((file) => existsSync(join(this.path, file)));
    if (found !== undefined) return join(this.path, found);
    const combined = ['model.onnx', join('onnx', 'model.onnx')].some((file) =>
      existsSync(join(this.path, file)),
    );
    throw new VernierError(
      'IO',
      `${this.path}: ${variant === undefined ? `no ${name}.onnx` : `no ${candidates[0]}`}`,
      {
        hint: combined ? `there is a model of both towers, but they are needed apart; ${LAYOUT}` : LAYOUT,
        context: { file: this.path },
      },
    );
  }

  /** The content of a JSON file. @throws IO where it is missing, DATA where it is not JSON */
  json(name: string): unknown {
    const content = this.optionalJson(name);
    if (content !== undefined) return content;
    throw new VernierError('IO', `${this.path}: no ${name}`, { hint: LAYOUT, context: { file: this.path } });
  }

  /** The same, undefined where it is missing. */
  optionalJson(name: string): unknown {
    const file = join(this.path, name);
    if (!existsSync(file)) return undefined;
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (cause) {
      throw new VernierError('DATA', `${file}: ${(cause as Error).message}`, { context: { file }, cause });
    }
  }
}

/** Hex SHA-256 over files, in their order, with the data that a large network keeps beside itself. */
export function filesHash(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((file) => [file, `${file}_data`, `${file}.data`])) {
    if (existsSync(path)) hash.update(createHash('sha256').update(readFileSync(path)).digest());
  }
  return hash.digest('hex');
}
