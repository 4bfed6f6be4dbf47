# Who may connect to whom: five groups. Each rule is a resource of its own and names the other
# group; only the load balancer has addresses on its inbound side. There is no SSH anywhere.

locals {
  security_groups = {
    alb   = "Load balancer: from its visitors, to the application"
    app   = "Application: from the load balancer, to database, cache and AWS"
    setup = "Set-up of the database: to the database and AWS"
    db    = "Database: from the application and the set-up, nowhere to"
    cache = "Cache: from the application, nowhere to"
  }

  # from → to, over which port.
  connections = {
    alb_app   = { from = "alb", to = "app", port = local.port }
    app_db    = { from = "app", to = "db", port = local.database_port }
    app_cache = { from = "app", to = "cache", port = local.cache_port }
    setup_db  = { from = "setup", to = "db", port = local.database_port }
  }

  # The load balancer's ports, each for each network that may connect.
  public_ingress = { for pair in setproduct(local.https ? [80, 443] : [80], var.allowed_cidrs) :
    "${pair[0]} from ${pair[1]}" => { port = pair[0], cidr = pair[1] }
  }
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5:Each is used; the check does not follow for_each
  for_each = local.security_groups

  name_prefix = "${var.name}-${each.key}-"
  description = each.value
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  # checkov:skip=CKV_AWS_260:Port 80 sends visitors on to HTTPS (without a domain the demo serves there)
  for_each = local.public_ingress

  security_group_id = aws_security_group.this["alb"].id
  description       = "Visitors"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "within" {
  for_each = local.connections

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = "From ${each.value.from}"
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "within" {
  for_each = local.connections

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = "To ${each.value.to}"
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# Session Manager, Secrets Manager, S3, and the certificate bundle of RDS.
resource "aws_vpc_security_group_egress_rule" "aws" {
  for_each = toset(["app", "setup"])

  security_group_id = aws_security_group.this[each.key].id
  description       = "AWS by HTTPS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
