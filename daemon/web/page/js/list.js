// @ts-check
// The list of torrents.
import { h, name, clear } from "./dom.js";
import { percent, rate } from "./format.js";
import { t } from "./i18n.js";
import { go } from "./router.js";
import { store } from "./store.js";
import { VirtualRows } from "./virtual.js";

/**
 * @param {HTMLElement} container
 * @param {{}} _params
 * @returns {() => void}
 */
export function mount(container, _params) {
  const scroller = h("div", { class: "ls-scroll", role: "grid", tabIndex: 0, "aria-label": t("list.torrents") });
  container.appendChild(scroller);
  /** @type {number[]} */
  let ids = [];
  const rows = new VirtualRows({
    scroller, rowHeight: 40, headerRows: 0,
    render: (i, el) => {
      const row = store.torrents.get(ids[i]);
      if (!row) return;
      clear(el);
      const open = h("span", { role: "gridcell" }, name(row.name));
      el.append(open, h("span", { role: "gridcell", text: percent(row.got, row.wanted) }),
        h("span", { role: "gridcell", text: rate(row["down-rate"]) }));
      el.onclick = () => go("/torrent/" + row.id + "/overview");
    },
  });
  const update = () => {
    ids = [...store.torrents.keys()];
    rows.setCount(ids.length);
    rows.refresh();
  };
  const offs = [store.on("rows", update), store.on("removed", update), store.on("reset", update)];
  container.appendChild(scroller);
  update();
  return () => {
    for (const off of offs) off();
    rows.close();
  };
}
