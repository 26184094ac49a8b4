"""The page in a browser: clicked, dragged over, looked at. make browser

Needs Chromium and the extra `browser`. SHOTS=FOLDER keeps screenshots.
"""

import os
import shutil
from pathlib import Path

import pytest

from gm_jax.report.page import make_page
from gm_jax.results.from_runs import entry_of_run, find_runs

pytestmark = [
    pytest.mark.browser,
    # Selenium's own sockets, and its deprecated calls.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"
OPTIONS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
)
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (Path(CHROMIUM).exists() and Path(DRIVER).exists()):
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: make browser")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, make_run, tmp_path):
    """Opens the page of two runs at a size; at the end nothing may have gone wrong in it."""

    def open_page(size=DESKTOP, dark=False):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        if not (tmp_path / "page.html").exists():
            make_run("vae-learning-rate-5e-4", rate=5e-4, pictures=(250, 500, 1000))
            make_run("vae-learning-rate-1e-2", rate=1e-2, pictures=())
            runs = find_runs([tmp_path / "runs"])
            (tmp_path / "page.html").write_text(make_page([entry_of_run(run) for run in runs]))
        browser.get((tmp_path / "page.html").as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def found(driver, css):
    return driver.find_elements("css selector", css)


def click(driver, css):
    driver.execute_script("arguments[0].click()", found(driver, css)[0])


def names(driver):
    return [box.get_attribute("data-chart") for box in found(driver, ".chart")]


def shot(driver, name):
    if folder := os.environ.get("SHOTS"):
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def test_runs_and_figures_are_chosen(page):
    driver = page()
    assert names(driver) == ["loss", "bits_per_dim", "grad_norm"]
    assert len(found(driver, "[data-chart=loss] path.curve")) == 2
    # bits/dim: validation and test of both runs.
    assert len(found(driver, "[data-chart=bits_per_dim] path.valid")) == 2
    assert len(found(driver, "[data-chart=bits_per_dim] circle.test")) == 2
    click(driver, "[data-run='1']")
    assert len(found(driver, "[data-chart=loss] path.curve")) == 1
    assert [s.is_displayed() for s in found(driver, "[data-of]")] == [True, False]
    click(driver, "[data-figure=grad_norm]")
    assert names(driver) == ["loss", "bits_per_dim"]
    click(driver, "#no-runs")
    assert found(driver, "path.curve") == []
    click(driver, "#all-runs")
    assert len(found(driver, "[data-chart=loss] path.curve")) == 2


def labels(driver):
    css = "[data-chart=loss] text.step"
    return [text.text for text in found(driver, css)]


def drag(driver, chart, begin, end):
    """Presses at a part of a chart's width, and lets go at another."""
    from selenium.webdriver.common.action_chains import ActionChains

    width = chart.size["width"]
    actions = ActionChains(driver).move_to_element_with_offset(chart, int((begin - 0.5) * width), 0)
    actions.click_and_hold().move_by_offset(int((end - begin) * width), 0).release().perform()


def test_zoom_and_hover(page):
    from selenium.webdriver.common.action_chains import ActionChains

    driver = page()
    chart = found(driver, "[data-chart=loss] svg")[0]
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    whole = labels(driver)
    assert whole[0] == "0"
    ActionChains(driver).move_to_element(chart).perform()
    tip = found(driver, "[data-chart=loss] .tip")[0]
    assert tip.is_displayed()
    assert "train" in tip.text
    assert "vae-learning-rate-5e-4" in tip.text
    shot(driver, "hover")
    drag(driver, chart, 0.5, 0.8)
    assert labels(driver) != whole
    assert not found(driver, "[data-chart=loss] .tip")[0].is_displayed()
    assert found(driver, "#reset")[0].is_enabled()
    shot(driver, "zoomed")
    ActionChains(driver).double_click(found(driver, "[data-chart=loss] svg")[0]).perform()
    assert labels(driver) == whole
    click(driver, "#log")
    ticks = [t.text for t in found(driver, "[data-chart=grad_norm] text[text-anchor=end]")]
    assert "0.01" in ticks


def test_the_slider_shows_other_steps(page):
    driver = page()
    slider = found(driver, "[data-slides=samples]")[0]
    card = slider.find_element("xpath", "..")
    image, label = card.find_element("tag name", "img"), card.find_element("tag name", "output")
    last = image.get_attribute("src")
    set_to = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    driver.execute_script(set_to, slider, 0)
    assert label.text == "step 250"
    first = image.get_attribute("src")
    assert first != last
    assert driver.execute_script("return arguments[0].naturalWidth", image) == 48
    driver.execute_script(set_to, slider, 2)
    assert (image.get_attribute("src"), label.text) == (last, "step 1,000")


def test_only_the_differences_are_shown_at_first(page):
    driver = page()
    rows = found(driver, "#settings-table tbody tr")
    assert [row.is_displayed() for row in rows].count(True) == 1
    click(driver, "#only-differences")
    assert all(row.is_displayed() for row in rows)


def ground(driver):
    return driver.execute_script("return getComputedStyle(document.body).backgroundColor")


def test_dark_and_light(page):
    driver = page()
    light = ground(driver)
    click(driver, "#theme")
    dark = ground(driver)
    assert light != dark
    click(driver, "#theme")
    assert ground(driver) == light
    assert ground(page(dark=True)) == dark
    shot(driver, "dark")
    click(driver, "#theme")
    assert ground(driver) == light


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_is_wider_than_the_screen(page, size):
    driver = page(size)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert all(head.size["width"] > 100 for head in found(driver, "#figures tbody th"))
    shot(driver, "desktop" if size == DESKTOP else "phone")
    for place in ("curves", "pictures", "made"):
        driver.execute_script(f"document.getElementById('{place}').scrollIntoView()")
        shot(driver, f"{'desktop' if size == DESKTOP else 'phone'}_{place}")
