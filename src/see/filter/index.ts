/** The language after `sockscope ls`: ss filters, lsof specs and short words, one meaning. */
export { and, type Filter, namesStates, needsOwners, type Predicate } from './ast.ts';
export type { ParseOptions } from './context.ts';
export { evaluate, matches } from './evaluate.ts';
export { filterError, type Refusal } from './fault.ts';
export { compileForKernel, type KernelFilter, type KernelOptions } from './kernel.ts';
export { type ParseResult, parseFilter, parseLsof } from './parse.ts';
