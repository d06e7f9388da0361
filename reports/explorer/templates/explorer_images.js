// Pictures out of the sprites. Edits are stored as what they differ from the reconstruction, counterfactuals from the original.

const PX = data.pictures.px;
const STEP = data.pictures.step;
const sprites = JSON.parse(document.getElementById("sprites").textContent);
const decodedSprites = new Map(); // text -> promise of ImageData; the latest last
const SPRITES_HELD = 96;
const HEAT_FULL = 96; // a difference of so many of 255 levels has the brightest colour
const HEAT_COLOURS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

async function spritePixels(text) {
  if (!decodedSprites.has(text)) decodedSprites.set(text, decodeSprite(text));
  const found = decodedSprites.get(text);
  decodedSprites.delete(text);
  decodedSprites.set(text, found);
  if (decodedSprites.size > SPRITES_HELD) decodedSprites.delete(decodedSprites.keys().next().value);
  return found;
}

async function decodeSprite(text) {
  const image = new Image();
  image.src = `data:image/webp;base64,${text}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function cut(sheet, number, wide) {
  const tile = new Uint8ClampedArray(PX * PX * 4);
  const left = (number % wide) * PX;
  const top = Math.floor(number / wide) * PX;
  for (let row = 0; row < PX; row += 1) {
    const start = ((top + row) * sheet.width + left) * 4;
    tile.set(sheet.data.subarray(start, start + PX * 4), row * PX * 4);
  }
  return tile;
}

// ref: { side, stop, editor, prompt, person } with side one of SIDES; person is a number. null: there is no picture.
async function pixelsOf(ref) {
  const persons = data.persons.length;
  if (!persons) return null;
  if (ref.side === "original" || ref.side === "inversion") {
    return cut(await spritePixels(sprites.base), ref.person + (ref.side === "inversion" ? persons : 0), persons);
  }
  const number = tileNumber(ref);
  if (number === null) return null;
  const base = { ...ref, side: ref.side === "counterfactual" ? "original" : "inversion" };
  if (number === -1) return pixelsOf(base);
  const prompt = promptNames.indexOf(ref.prompt);
  const sheet = await spritePixels(sprites.edits[prompt][ref.person]);
  const tile = cut(sheet, number, data.pictures.wide[prompt][ref.person]);
  return STEP === 0 ? tile : added(tile, await pixelsOf(base));
}

function tileNumber(ref) {
  const listed = ref.side === "edit"
    ? cellOf(ref.stop, ref.editor, ref.prompt)?.tile
    : data.pictures.references[ref.side]?.[ref.prompt];
  return listed?.[ref.person] ?? null;
}

function added(tile, base) {
  for (let at = 0; at < tile.length; at += 1) {
    if (at % 4 === 3) tile[at] = 255;
    else if (STEP === 1) tile[at] = (base[at] + tile[at] + 128) % 256;
    else tile[at] = base[at] + (tile[at] - 128) * STEP; // the array clamps to 0..255
  }
  return tile;
}

// Largest difference of the three channels, as a colour.
function heatOf(first, second) {
  const out = new Uint8ClampedArray(first.length);
  for (let at = 0; at < first.length; at += 4) {
    let most = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      most = Math.max(most, Math.abs(first[at + channel] - second[at + channel]));
    }
    out.set(heatColour(most / HEAT_FULL), at);
  }
  return out;
}

function heatColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (HEAT_COLOURS.length - 1);
  const low = Math.min(Math.floor(place), HEAT_COLOURS.length - 2);
  const mix = HEAT_COLOURS[low].map((value, channel) =>
    value + (HEAT_COLOURS[low + 1][channel] - value) * (place - low));
  return [...mix, 255];
}

function paint(canvas, pixels) {
  canvas.width = PX;
  canvas.height = PX;
  canvas.getContext("2d").putImageData(new ImageData(pixels, PX, PX), 0, 0);
  canvas.dataset.drawn = "yes";
}

// Draws a picture, or the difference of two, when it is decoded.
async function draw(canvas, ref, other = null) {
  const [pixels, second] = await Promise.all([pixelsOf(ref), other ? pixelsOf(other) : null]);
  if (pixels && (!other || second)) paint(canvas, other ? heatOf(pixels, second) : pixels);
}
