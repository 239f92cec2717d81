/** Profiles on the page: which model and layer, one chart for each, pointer and keys. */
import { PAPER, themeOfPage } from './colours.js';
import { el, labelled, select } from './dom.js';
import { downloadButtons } from './downloads.js';
import type { Selection } from './map-view.js';
import {
  captionOf,
  drawProfile,
  layerProfile,
  modelProfile,
  type Profile,
  profileLayout,
} from './profile.js';
import { SvgSurface } from './surface.js';
import { hideTip, showTip } from './tooltip.js';
import type { Shown } from './view.js';

export class ProfileView {
  readonly element = el('div', { class: 'profiles' });
  private readonly model = el('figure');
  private readonly layer = el('figure');
  private readonly heading = el('h3', {}, 'Profiles');
  private readonly choose = el('div', { class: 'controls' });
  private boxes: { model?: HTMLSelectElement; layer?: HTMLSelectElement } = {};
  private shown: Shown | null = null;
  private selection: Selection = { model: null, layer: null };
  private width = 0;

  constructor(private readonly onSelect: (selection: Selection) => void) {
    this.element.append(this.heading, this.choose, this.model, this.layer);
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width);
      if (width === this.width) return;
      this.width = width;
      this.redraw();
    }).observe(this.element);
  }

  show(shown: Shown, selection: Selection): void {
    this.selection = selection;
    if (shown !== this.shown) this.offer(shown);
    for (const name of ['model', 'layer'] as const) {
      const box = this.boxes[name];
      const value = String(selection[name] ?? '');
      if (box) box.value = [...box.options].some((option) => option.value === value) ? value : '';
    }
    this.redraw();
  }

  /** Names to choose from; they stay while only the choice changes, and so does the keyboard's place. */
  private offer(shown: Shown): void {
    this.shown = shown;
    const choose = (name: 'model' | 'layer', choices: readonly (readonly [string, string])[]) =>
      select([['', '(none)'], ...choices], '', (value) =>
        this.onSelect({ ...this.selection, [name]: value === '' ? null : Number(value) }),
      );
    const isSeveral = shown.panel.models.length > 1;
    this.heading.hidden = !isSeveral;
    this.boxes = isSeveral
      ? {
          model: choose(
            'model',
            shown.rows.map(({ at, model }) => [String(at), model.name] as const),
          ),
          layer: choose(
            'layer',
            shown.columns.map(({ at, layer }) => [String(at), layer.label] as const),
          ),
        }
      : {};
    const { model, layer } = this.boxes;
    this.choose.replaceChildren(
      ...(model ? [labelled('Model', model)] : []),
      ...(layer ? [labelled('Layer', layer)] : []),
    );
  }

  redraw(): void {
    const { shown, selection } = this;
    if (!shown || this.width === 0) return;
    const { model, layer } = selection;
    const hasModel = model !== null && shown.rows.some(({ at }) => at === model);
    const hasLayer = layer !== null && shown.rows.length > 1 && shown.columns.some(({ at }) => at === layer);
    this.fill(this.model, hasModel ? modelProfile(shown, model) : null, layer, 'layer');
    this.fill(this.layer, hasLayer ? layerProfile(shown, layer) : null, model, 'model');
  }

  private fill(
    figure: HTMLElement,
    profile: Profile | null,
    current: number | null,
    other: 'model' | 'layer',
  ): void {
    figure.hidden = profile === null;
    if (!profile) return;
    const title = `${other === 'layer' ? 'Model' : 'Layer'} ${profile.title}`;
    const layout = profileLayout(profile, this.width);
    const surface = new SvgSurface(layout.width, layout.height);
    drawProfile(surface, profile, layout, themeOfPage(), current);
    const { root } = surface;
    root.setAttribute('role', 'img');
    root.setAttribute(
      'aria-label',
      `${title}: ${profile.axis}, ${profile.points.length} points. The table below has the numbers.`,
    );
    const nearest = (event: MouseEvent) => {
      const x = event.clientX - root.getBoundingClientRect().left;
      const at = Math.floor((x - layout.xOf(0)) / layout.step + 0.5);
      return profile.points[Math.max(0, Math.min(profile.points.length - 1, at))];
    };
    root.addEventListener('pointermove', (event) => {
      const point = nearest(event);
      if (point) showTip(event.clientX, event.clientY, [point.label], point.lines);
    });
    root.addEventListener('pointerleave', hideTip);
    root.addEventListener('click', (event) => {
      const point = nearest(event);
      if (point) this.onSelect({ ...this.selection, [other]: point.at });
    });
    const paper = () => {
      const onPaper = new SvgSurface(layout.width, layout.height);
      drawProfile(onPaper, profile, layout, PAPER, current);
      return onPaper.root;
    };
    const { choices, data } = this.shown!;
    const intervals = choices.compare === null ? data.page.intervals : null;
    figure.replaceChildren(
      el(
        'figcaption',
        {},
        el(this.heading.hidden ? 'h3' : 'h4', {}, title),
        captionOf(profile, intervals),
        downloadButtons(`profile of ${profile.title}`, paper),
      ),
      el('div', { class: 'plot', tabindex: '0', role: 'group', 'aria-label': title }, root),
    );
  }
}
