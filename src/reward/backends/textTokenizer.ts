import { z } from 'zod';
import { VernierError } from '#core/errors';
import type { ModelDirectory } from '#reward/backends/modelDirectory';

/** Texts as a model's tokens by @huggingface/tokenizers: the sole file that loads it. */

interface Tokenizer {
  encode(text: string): { readonly ids: readonly number[] };
  token_to_id(token: string): number | undefined;
}
interface Tokenizers {
  readonly Tokenizer: new (tokenizer: object, config: object) => Tokenizer;
}

const PACKAGE = '@huggingface/tokenizers';

/** A token's text, or a record of it. */
const tokenSchema = z.union([z.string(), z.object({ content: z.string() }).transform((t) => t.content)]);
const tokenizerConfigSchema = z.looseObject({
  pad_token: tokenSchema.nullish(),
  model_max_length: z.number().optional(),
});
const modelConfigSchema = z.looseObject({
  text_config: z.looseObject({ max_position_embeddings: z.int().positive().optional() }).optional(),
});

/** Context length of the CLIP models, whose exports do not always tell. */
const CLIP_CONTEXT = 77;
/** Tokenizers without a limit say so by a number beyond all reason. */
const LARGEST_CONTEXT = 1 << 16;

export interface Tokens {
  /** Padded to the context length. */
  readonly ids: readonly number[];
  /** 1 for a token of the text, 0 for padding. */
  readonly mask: readonly number[];
}

export class TextTokenizer {
  /** Tokens of each text. */
  readonly length: number;
  readonly #tokenizer: Tokenizer;
  readonly #pad: number;

  private constructor(tokenizer: Tokenizer, length: number, pad: number) {
    this.#tokenizer = tokenizer;
    this.length = length;
    this.#pad = pad;
  }

  /** @throws BACKEND without the package; IO, DATA for files that are missing or not understood */
  static async load(directory: ModelDirectory): Promise<TextTokenizer> {
    const content = directory.json('tokenizer.json') as object;
    const config = tokenizerConfigSchema.parse(directory.optionalJson('tokenizer_config.json') ?? {});
    const model = modelConfigSchema.parse(directory.optionalJson('config.json') ?? {});
    const { Tokenizer } = await loadTokenizers();
    let tokenizer: Tokenizer;
    try {
      tokenizer = new Tokenizer(content, config);
    } catch (cause) {
      throw new VernierError('DATA', `${directory.path}/tokenizer.json: ${(cause as Error).message}`, {
        cause,
      });
    }
    const limits = [model.text_config?.max_position_embeddings, config.model_max_length];
    const length = limits.find((n) => n !== undefined && n <= LARGEST_CONTEXT) ?? CLIP_CONTEXT;
    const pad = config.pad_token == null ? undefined : tokenizer.token_to_id(config.pad_token);
    return new TextTokenizer(tokenizer, length, pad ?? 0);
  }

  /** A text that is too long loses its end, but not the token that marks it. */
  encode(text: string): Tokens {
    const all = this.#tokenizer.encode(text).ids;
    const ids = all.length <= this.length ? all : [...all.slice(0, this.length - 1), all.at(-1)!];
    const padding = this.length - ids.length;
    return {
      ids: [...ids, ...new Array<number>(padding).fill(this.#pad)],
      mask: [...new Array<number>(ids.length).fill(1), ...new Array<number>(padding).fill(0)],
    };
  }
}

async function loadTokenizers(): Promise<Tokenizers> {
  try {
    return (await import(PACKAGE)) as Tokenizers;
  } catch (cause) {
    throw new VernierError(
      'BACKEND',
      `texts for a model of pictures need ${PACKAGE}, which is not installed`,
      {
        hint: `npm install ${PACKAGE}`,
        cause,
      },
    );
  }
}
