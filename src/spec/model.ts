import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { VernierError } from '#core/errors';
import type { ModelSource } from '#core/model';

export type { ModelSource } from '#core/model';

/** One MJCF text from a robot's model and, optionally, a scene, with the bytes of the assets they name.
 *
 * Includes are resolved here, so that every backend compiles the same text; a path is looked up beside the file
 * that names it, then beside the main file. With a scene the sections of both files stand one after the other, as
 * with two <include>s: the scene sees the robot's names and settings, and keyframes are left out, because their
 * sizes would no longer fit.
 * @throws SPEC when a file is missing, is no MJCF, or the two files disagree on how to read numbers */
export function composeModel(robotPath: string, scenePath?: string): ModelSource {
  const assets = new AssetTable();
  const robot = readModel(resolve(robotPath), assets);
  const parts = [robot];
  if (scenePath !== undefined) {
    const scene = readModel(resolve(scenePath), assets);
    requireSameCompiler(robot, scene);
    parts.push(scene);
  }
  const body = parts.map((part) => part.body).join('\n');
  const content = scenePath === undefined ? body : withoutSection(body, 'keyframe');
  const xml = `<mujoco model="${robot.name}">\n${content}\n</mujoco>\n`;
  return { xml, files: assets.files, hash: hashOf(xml, assets.files) };
}

interface ModelPart {
  readonly file: string;
  readonly name: string;
  readonly body: string;
}

/** Asset files under flat names, which is all that every backend's virtual file system agrees on. */
class AssetTable {
  readonly files = new Map<string, Uint8Array>();
  readonly #nameOf = new Map<string, string>();

  /** The name that the document shall use for the file. */
  add(path: string): string {
    const known = this.#nameOf.get(path);
    if (known !== undefined) return known;
    const base = basename(path);
    const name = this.files.has(base) ? `${this.files.size}_${base}` : base;
    this.files.set(name, readFileSync(path));
    this.#nameOf.set(path, name);
    return name;
  }
}

function hashOf(xml: string, files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256').update(xml);
  for (const name of [...files.keys()].sort()) hash.update(`\0${name}\0`).update(files.get(name)!);
  return hash.digest('hex');
}

/** Which folder attribute of the compiler an element's files lie in. */
const ASSET_TAGS: Readonly<Record<string, 'meshdir' | 'texturedir'>> = {
  mesh: 'meshdir',
  skin: 'meshdir',
  flexcomp: 'meshdir',
  hfield: 'meshdir',
  model: 'meshdir',
  texture: 'texturedir',
};
const FILE_ATTRIBUTES =
  /\s(file|fileright|fileleft|fileup|filedown|filefront|fileback)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const DIRECTORY_ATTRIBUTES = /\s(?:meshdir|texturedir|assetdir)\s*=\s*(?:"[^"]*"|'[^']*')/g;

function readModel(file: string, assets: AssetTable): ModelPart {
  const text = expandIncludes(file, dirname(file), []);
  const root = /<mujoco\b([^>]*?)(?:\/>|>([\s\S]*)<\/mujoco\s*>)/.exec(text);
  if (!root) throw new VernierError('SPEC', `${file}: expected an MJCF file with a <mujoco> element`);
  return {
    file,
    name: attribute(root[1]!, 'model') ?? 'model',
    body: namedAssets(root[2] ?? '', file, assets),
  };
}

function expandIncludes(file: string, mainDirectory: string, chain: readonly string[]): string {
  if (chain.includes(file))
    throw new VernierError('SPEC', `${file}: includes itself by way of ${chain.join(', ')}`);
  const text = readText(file, chain.at(-1)).replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, '');
  return text.replace(/<include\b([^>]*?)(?:\/>|>\s*<\/include\s*>)/g, (_, attributes: string) => {
    const name = attribute(attributes, 'file');
    if (!name) throw new VernierError('SPEC', `${file}: <include> without a file attribute`);
    const beside = resolve(dirname(file), name);
    const included = existsSync(beside) ? beside : resolve(mainDirectory, name);
    const content = expandIncludes(included, mainDirectory, [...chain, file]);
    const inner = /<(mujoco(?:include)?)\b[^>]*>([\s\S]*)<\/\1\s*>/.exec(content);
    if (!inner)
      throw new VernierError('SPEC', `${included}: expected <mujoco> or <mujocoinclude> at the root`);
    return inner[2]!;
  });
}

function readText(file: string, from: string | undefined): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const who = from === undefined ? '' : `, included by ${from}`;
    throw new VernierError('SPEC', `cannot read the model file ${file}${who}`, { cause });
  }
}

/** The text with every asset under its name in the table, and the compiler's folders, now used, removed. */
function namedAssets(body: string, file: string, assets: AssetTable): string {
  const folderOf = (kind: string): string =>
    compilerAttribute(body, kind) ?? compilerAttribute(body, 'assetdir') ?? '.';
  const base = dirname(file);
  const withoutFolders = body.replace(/<compiler\b[^>]*>/g, (tag) => tag.replace(DIRECTORY_ATTRIBUTES, ''));
  return withoutFolders.replace(/<([a-z]+)\b([^>]*)>/g, (whole, tag: string, attributes: string) => {
    const kind = ASSET_TAGS[tag];
    if (!kind) return whole;
    let defaultName = '';
    const rewritten = attributes.replace(
      FILE_ATTRIBUTES,
      (_, key: string, double?: string, single?: string) => {
        const given = double ?? single ?? '';
        const path = isAbsolute(given) ? given : resolve(base, folderOf(kind), given);
        if (!existsSync(path)) {
          throw new VernierError('SPEC', `${file}: the ${tag} file ${path} does not exist`, {
            hint: 'asset paths are relative to meshdir, texturedir or assetdir, and those to the main file',
          });
        }
        const name = assets.add(path);
        // MuJoCo names an unnamed asset after its file: a renamed file must not change that.
        if (key === 'file' && name !== basename(path)) defaultName = basename(path).replace(/\.[^.]*$/, '');
        return ` ${key}="${name}"`;
      },
    );
    const named = defaultName === '' || attribute(attributes, 'name') !== undefined;
    return named ? `<${tag}${rewritten}>` : `<${tag} name="${defaultName}"${rewritten}>`;
  });
}

/** Two files become one compiler scope: what one of them says about reading numbers, the other must not deny. */
function requireSameCompiler(robot: ModelPart, scene: ModelPart): void {
  for (const key of [
    'angle',
    'eulerseq',
    'autolimits',
    'inertiafromgeom',
    'balanceinertia',
    'settotalmass',
  ]) {
    const ours = compilerAttribute(robot.body, key);
    const theirs = compilerAttribute(scene.body, key);
    if (ours !== undefined && theirs !== undefined && ours !== theirs) {
      throw new VernierError(
        'SPEC',
        `${scene.file}: <compiler ${key}="${theirs}"> but ${robot.file} has "${ours}"; both become one model`,
        { hint: `write the scene with ${key}="${ours}"` },
      );
    }
  }
}

function compilerAttribute(body: string, key: string): string | undefined {
  let value: string | undefined;
  for (const [, attributes = ''] of body.matchAll(/<compiler\b([^>]*)>/g))
    value = attribute(attributes, key) ?? value;
  return value;
}

function withoutSection(body: string, tag: string): string {
  return body.replace(new RegExp(`<${tag}\\b(?:[^>]*/>|[\\s\\S]*?</${tag}\\s*>)`, 'g'), '');
}

function attribute(attributes: string, key: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${key}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes);
  return match ? (match[1] ?? match[2]) : undefined;
}
