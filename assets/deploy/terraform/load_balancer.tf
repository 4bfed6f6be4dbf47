# The load balancer: the only door. With a domain it speaks HTTPS and sends plain HTTP there.

resource "aws_lb" "this" {
  # checkov:skip=CKV_AWS_91:unslow logs each request itself, with the visitor's address, into the journal
  # checkov:skip=CKV_AWS_150:Protected in production; the demo is to be destroyed with one command
  # checkov:skip=CKV2_AWS_28:A web ACL is given as web_acl_arn by who has one
  # checkov:skip=CKV2_AWS_20:Port 80 sends to HTTPS wherever there is a domain, and so a certificate
  # checkov:skip=CKV2_AWS_76:A web ACL is given as web_acl_arn by who has one; nothing here is Java
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = [for subnet in aws_subnet.public : subnet.id]
  security_groups            = [aws_security_group.this["alb"].id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  # Shorter than the instances' keep_alive, which stands in templates/app.ini.tftpl.
  idle_timeout               = 60
  enable_deletion_protection = local.protected
  depends_on                 = [aws_internet_gateway.this]
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_lb_target_group" "app" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it are two groups that admit each other alone
  name_prefix                   = substr(var.name, 0, 6)
  vpc_id                        = aws_vpc.this.id
  protocol                      = "HTTP"
  port                          = local.port
  deregistration_delay          = 30
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  # checkov:skip=CKV_AWS_2:It redirects to HTTPS; without a domain there is no certificate, in the demo only
  # checkov:skip=CKV_AWS_103:It redirects to HTTPS; without a domain there is no certificate, in the demo only
  load_balancer_arn                    = aws_lb.this.arn
  protocol                             = "HTTP"
  port                                 = 80
  routing_http_response_server_enabled = false

  default_action {
    type             = local.https ? "redirect" : "forward"
    target_group_arn = local.https ? null : aws_lb_target_group.app.arn

    dynamic "redirect" {
      for_each = local.https ? [443] : []

      content {
        protocol    = "HTTPS"
        port        = redirect.value
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = local.https ? 1 : 0

  load_balancer_arn                    = aws_lb.this.arn
  protocol                             = "HTTPS"
  port                                 = 443
  ssl_policy                           = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  certificate_arn                      = local.certificate_arn
  routing_http_response_server_enabled = false

  # Browsers are told to come back by HTTPS only, for a year.
  routing_http_response_strict_transport_security_header_value = "max-age=31536000"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app.arn
  }
}
