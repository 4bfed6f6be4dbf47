# What is production's own: zones, NAT in each, HTTPS, standby, protection.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  profile         = "production"
  binary_path     = "tests/programs/arm64"
  domain          = "slow.example.com"
  route53_zone_id = "Z0123456789ABCDEFGHIJ"
}

run "production" {
  assert {
    condition     = keys(local.zones) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"] && length(aws_subnet.public) == 3 && length(aws_subnet.app) == 3 && length(aws_subnet.data) == 3
    error_message = "Three zones, each with three subnets."
  }
  assert {
    condition     = length(aws_nat_gateway.zonal) == 3 && length(aws_route.app) == 3 && alltrue([for zone, route in aws_route.app : route.nat_gateway_id == aws_nat_gateway.zonal[zone].id])
    error_message = "A NAT in every zone, and its instances go through that one."
  }
  assert {
    condition     = alltrue([for zone, table in aws_route_table_association.app : table.route_table_id == aws_route_table.app[zone].id])
    error_message = "Every zone has a route table of its own."
  }
  assert {
    condition     = tobool(aws_launch_template.app.network_interfaces[0].associate_public_ip_address) == false && !aws_instance.setup.associate_public_ip_address && toset(aws_autoscaling_group.app.vpc_zone_identifier) == toset([for subnet in aws_subnet.app : subnet.id])
    error_message = "Instances stand in the private subnets, without public addresses."
  }
  assert {
    condition     = aws_launch_template.app.instance_type == "m7g.medium" && aws_autoscaling_group.app.min_size == 3 && aws_autoscaling_group.app.max_size == 9
    error_message = "An instance in each zone at least."
  }
  assert {
    condition     = length(aws_flow_log.this) == 1 && aws_flow_log.this[0].traffic_type == "ALL"
    error_message = "Who spoke with whom is recorded."
  }
  assert {
    condition     = length(aws_autoscaling_group.app.tag) == 3 && aws_default_security_group.this.vpc_id == aws_vpc.this.id
    error_message = "Tags and the emptied default group."
  }

  # HTTPS
  assert {
    condition     = output.url == "https://slow.example.com"
    error_message = "It is served at its domain."
  }
  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].port == "443"
    error_message = "Plain HTTP is sent on to HTTPS."
  }
  assert {
    condition     = aws_lb_listener.https[0].port == 443 && aws_lb_listener.https[0].protocol == "HTTPS" && aws_lb_listener.https[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" && aws_lb_listener.https[0].certificate_arn == "arn:aws:acm:eu-central-1:123456789012:certificate/own"
    error_message = "TLS 1.2 and 1.3, by a named policy, with the domain's certificate."
  }
  assert {
    condition     = aws_lb_listener.https[0].routing_http_response_strict_transport_security_header_value == "max-age=31536000"
    error_message = "Browsers are told to come back by HTTPS (HSTS)."
  }
  assert {
    condition     = aws_acm_certificate.this[0].domain_name == "slow.example.com" && aws_acm_certificate.this[0].validation_method == "DNS" && aws_route53_record.validation[0].type == "CNAME" && aws_route53_record.domain[0].alias[0].name == aws_lb.this.dns_name
    error_message = "The certificate is validated in the zone, and the name leads to the load balancer."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.public : rule.from_port]) == toset([80, 443])
    error_message = "Visitors reach 80 and 443 alone."
  }

  # Standby and protection
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && startswith(aws_db_instance.this.final_snapshot_identifier, "unslow-final-")
    error_message = "The database has a standby and backups, and is not deleted by mistake."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "Two cache nodes in two zones, which take over from each other."
  }
  assert {
    condition     = aws_lb.this.enable_deletion_protection && !aws_s3_bucket.files.force_destroy && aws_secretsmanager_secret.cache.recovery_window_in_days == 7
    error_message = "What cannot be made again is protected."
  }
  assert {
    condition     = strcontains(local.user_data, "show_host = false") && strcontains(local.user_data, "forwarded_allow_ips = 10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24\n")
    error_message = "Strangers do not see the database's host; forwarded addresses are the load balancer's."
  }
  assert {
    condition     = !issensitive(local.user_data) && !strcontains(local.user_data, "rds!db-master")
    error_message = "Nothing secret in user data."
  }
}

run "given_certificate" {
  variables {
    route53_zone_id = null
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/given"
  }
  assert {
    condition     = aws_lb_listener.https[0].certificate_arn == "arn:aws:acm:eu-central-1:123456789012:certificate/given" && length(aws_acm_certificate.this) == 0 && length(aws_route53_record.domain) == 0
    error_message = "A given certificate is used; the name is made elsewhere."
  }
}

run "to_be_destroyed" {
  variables {
    deletion_protection = false
  }
  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && !aws_lb.this.enable_deletion_protection && aws_s3_bucket.files.force_destroy
    error_message = "Protection can be taken off without editing a file."
  }
}
