/** Pillow's conversions between colour modes, of interleaved 8-bit pixels. `cpp/images/colour.h` has the same. */

/** Inks, 255 for all of it, to RGB: without any colour profile, light is what key and ink leave. */
export function cmykToRgb(inks: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((inks.length / 4) * 3);
  for (let at = 0, from = 0; at < rgb.length; at += 3, from += 4) {
    const light = 255 - inks[from + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      // light - round(ink * light / 255)
      const product = inks[from + channel]! * light + 128;
      rgb[at + channel] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

/** Pillow's `convert('L')`: ITU-R 601 weights in 16-bit fixed point, on the gamma-encoded values. */
export function rgbToGrey(rgb: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgb.length / 3);
  for (let at = 0, from = 0; at < grey.length; at++, from += 3) {
    grey[at] = (rgb[from]! * 19595 + rgb[from + 1]! * 38470 + rgb[from + 2]! * 7471 + 0x8000) >> 16;
  }
  return grey;
}

export function repeatGrey(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3);
  for (let from = 0, at = 0; from < grey.length; from++, at += 3) rgb.fill(grey[from]!, at, at + 3);
  return rgb;
}
