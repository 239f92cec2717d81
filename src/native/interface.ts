/**
 * The number of the surface between these sources and the addon: which functions there are, what they take and give.
 * It is that of `binding/interface.h`, by which the loader knows an addon that was built from other sources.
 */

/** Raised when an addon of before cannot serve these sources any more. */
export const interfaceNumber = 4;
// What has that number, as scripts/native-interface.mjs reads it: f873968171fc0d50
