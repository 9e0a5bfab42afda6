/** The symbolic graph, in one import: leaves, operations, gradients and parameters. */
export { grad, topologicalOrder } from '#nn/autodiff';
export * from '#nn/linalg';
export * from '#nn/ops';
export { type Initializer, ParameterBlock, type StateBuffer } from '#nn/parameters';
export type { Shape } from '#nn/shape';
export { constant, type DType, input, type Operand, type OpName, Tensor } from '#nn/tensor';
