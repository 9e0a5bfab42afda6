/** Why scores by ONNX models cannot be tested here, or undefined: their packages are optional. */
const packages = ['onnxruntime-node', '@huggingface/tokenizers'];
const missing: string[] = [];
for (const name of packages) {
  await import(name).catch(() => missing.push(name));
}
export const onnxScoresMissing =
  missing.length === 0 ? undefined : `npm install ${missing.join(' ')} --no-save --ignore-scripts`;
