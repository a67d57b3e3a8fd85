"""The Training page in a browser: the sample study, its importance, a link to chosen runs."""


def test_the_sample_study_is_alive_and_a_link_restores_its_runs(visit):
    page = visit.page
    visit.open("/?runs=study-slotflow%2Ftrial-006&runs=study-slotflow%2Ftrial-002")
    page.get_by_role("link", name="Training", exact=True).click()
    page.get_by_role("heading", name="Training", exact=True).wait_for(timeout=90_000)
    page.get_by_role("tab", name="Study").click()
    page.get_by_text("PED-ANOVA of the best").first.wait_for(timeout=90_000)
    # One bar for each hyper-parameter.
    bars = page.locator(".barlayer .point path")
    bars.first.wait_for(timeout=60_000)
    assert bars.count() == 5
    page.get_by_role("tab", name="Runs").click()
    page.get_by_text("Every run against the time of its creation").wait_for(timeout=90_000)
    visit.check()
