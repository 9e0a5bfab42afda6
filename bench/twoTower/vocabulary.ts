import { CONTEXT, PAD } from './network.js';

/** Words of the captions as a tokenizer in Hugging Face's format: whole words, lower case. */

const SPECIAL = ['[PAD]', '[UNK]', '[EOS]'];
const UNKNOWN = 1;
const END = 2;

export interface Vocabulary {
  readonly size: number;
  /** @shape result [16] */
  encode(text: string): Int32Array;
  /** tokenizer.json and tokenizer_config.json. */
  readonly files: Readonly<Record<string, unknown>>;
}

export function makeVocabulary(texts: Iterable<string>): Vocabulary {
  const words = [...new Set([...texts].flatMap(wordsOf))].sort();
  const ids = new Map([...SPECIAL, ...words].map((word, id) => [word, id]));
  return {
    size: ids.size,
    encode: (text) => {
      const out = new Int32Array(CONTEXT).fill(PAD);
      const known = wordsOf(text).map((word) => ids.get(word) ?? UNKNOWN);
      out.set([...known.slice(0, CONTEXT - 1), END]);
      return out;
    },
    files: {
      'tokenizer.json': tokenizer(ids),
      'tokenizer_config.json': {
        tokenizer_class: 'PreTrainedTokenizerFast',
        model_max_length: CONTEXT,
        pad_token: '[PAD]',
        unk_token: '[UNK]',
        eos_token: '[EOS]',
      },
    },
  };
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\w+/g) ?? [];
}

function tokenizer(ids: ReadonlyMap<string, number>): unknown {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[EOS]', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
      special_tokens: { '[EOS]': { id: '[EOS]', ids: [END], tokens: ['[EOS]'] } },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
  };
}
