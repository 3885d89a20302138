"""The metrics, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from acmeproxy import telemetry


def test_metrics_have_the_names_that_the_page_promises() -> None:
    metrics = telemetry.metrics("1.2.3", "abc")
    metrics.http_requests.labels("new-order", "POST", "201", "payments").inc()
    metrics.http_request_duration.labels("new-order").observe(0.02)
    metrics.acme_errors.labels("payments", "badNonce", "NONCE").inc()
    metrics.validations.labels("payments", "http-01", "valid").inc()
    metrics.validation_duration.labels("http-01").observe(1)
    metrics.certificates_issued.labels("payments").inc(2)
    metrics.vault_requests.labels("sign", "200").inc()
    metrics.vault_request_duration.labels("sign").observe(0.1)
    metrics.vault_breaker.labels("https://vault.example", "", "address").set(2)
    metrics.nonces_rejected.labels("used").inc()
    metrics.jobs.labels("issue", "done").inc()

    text = metrics.render().decode()
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert samples[("acmeproxy_build_info", (("commit", "abc"), ("version", "1.2.3")))] == 1
    assert samples[("acmeproxy_certificates_issued_total", (("tenant", "payments"),))] == 2
    assert {name for name, _ in samples if not name.endswith(("_bucket", "_sum"))} == {
        "acmeproxy_build_info",
        "acmeproxy_http_requests_total",
        "acmeproxy_http_request_duration_seconds_count",
        "acmeproxy_acme_errors_total",
        "acmeproxy_validations_total",
        "acmeproxy_validation_duration_seconds_count",
        "acmeproxy_certificates_issued_total",
        "acmeproxy_vault_requests_total",
        "acmeproxy_vault_request_duration_seconds_count",
        "acmeproxy_vault_breaker_state",
        "acmeproxy_vault_unsafe",
        "acmeproxy_vault_proven_seconds",
        "acmeproxy_nonce_rejected_total",
        "acmeproxy_jobs_total",
    }


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    first, second = telemetry.metrics("1"), telemetry.metrics("1")
    first.jobs.labels("issue", "done").inc()
    assert b'acmeproxy_jobs_total{kind="issue"' not in second.render()
