/** The operators of norms, as layers of their own are called. */

export const normOps = [
  'BatchNormalization',
  'LayerNormalization',
  'GroupNormalization',
  'InstanceNormalization',
  'RMSNormalization',
] as const;
export type NormOp = (typeof normOps)[number];

/** Whether an operator, or all of a group's (`BatchNormalization+LayerNormalization`), are norms. */
export const isNormOp = (op: string): boolean =>
  op.split('+').every((one) => (normOps as readonly string[]).includes(one));
