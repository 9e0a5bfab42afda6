import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { readFileBytes } from '#core/container';
import { VernierError } from '#core/errors';

/** Keys of CurveZMQ: 32 bytes each, as 40 characters of Z85. */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** The files of CZMQ, which pyzmq reads and writes too: `<name>.key_secret` with both keys, for its owner alone, and
 * `<name>.key` with the public one, to be given away.
 * @throws IO where one of them is there already: a key is never written over */
export function writeCurveKeys(name: string, keys: CurveKeys): { readonly files: readonly string[] } {
  const [open, secret] = [`${name}.key`, `${name}.key_secret`];
  for (const file of [open, secret])
    if (existsSync(file))
      throw new VernierError('IO', `${file} is there already`, { hint: 'choose another name' });
  const publicLine = `    public-key = "${keys.publicKey}"\n`;
  writeFileSync(secret, `metadata\ncurve\n${publicLine}    secret-key = "${keys.secretKey}"\n`, {
    mode: 0o600,
  });
  chmodSync(secret, 0o600);
  writeFileSync(open, `metadata\ncurve\n${publicLine}`);
  return { files: [open, secret] };
}

/** @throws IO or DATA, without the file's content in the message */
export function readCurveKeys(file: string): CurveKeys {
  const text = readText(file);
  return { publicKey: keyIn(text, 'public-key', file), secretKey: keyIn(text, 'secret-key', file) };
}

/** The public key of a file of either kind. */
export function readPublicKey(file: string): string {
  return keyIn(readText(file), 'public-key', file);
}

function readText(file: string): string {
  return Buffer.from(
    readFileBytes(file, 'name a file of CurveZMQ keys: vernier serve --new-keys <name>'),
  ).toString();
}

function keyIn(text: string, name: 'public-key' | 'secret-key', file: string): string {
  const found = new RegExp(`^\\s*${name}\\s*=\\s*"([!-~]{40})"\\s*$`, 'm').exec(text)?.[1];
  if (found !== undefined) return found;
  throw new VernierError('DATA', `${file}: no ${name} of 40 characters in it`, {
    hint:
      name === 'secret-key'
        ? 'name the file that ends in .key_secret'
        : 'make a pair with vernier serve --new-keys <name>',
  });
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

/** The characters of a key of 32 bytes. @source ZeroMQ RFC 32, Z85; differs: none */
export function z85(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  let text = '';
  for (let at = 0; at + 4 <= key.length; at += 4) {
    const word = view.getUint32(at);
    for (let divisor = 85 ** 4; divisor >= 1; divisor /= 85) text += DIGITS[Math.floor(word / divisor) % 85];
  }
  return text;
}
