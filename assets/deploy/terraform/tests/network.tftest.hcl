# The demo's network, and each way out that can be chosen.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  binary_path = "tests/programs/arm64"
}

run "demo" {
  assert {
    condition     = keys(local.zones) == ["eu-central-1a", "eu-central-1b"] && [for subnet in aws_subnet.public : subnet.cidr_block] == ["10.0.0.0/24", "10.0.1.0/24"] && [for subnet in aws_subnet.app : subnet.cidr_block] == ["10.0.16.0/20", "10.0.32.0/20"] && [for subnet in aws_subnet.data : subnet.cidr_block] == ["10.0.8.0/24", "10.0.9.0/24"]
    error_message = "Two zones, three tiers."
  }
  assert {
    condition     = length(aws_nat_gateway.zonal) + length(aws_nat_gateway.regional) + length(aws_eip.nat) + length(aws_route.app) == 0
    error_message = "The demo pays for no NAT."
  }
  assert {
    condition     = tobool(aws_launch_template.app.network_interfaces[0].associate_public_ip_address) && toset(aws_autoscaling_group.app.vpc_zone_identifier) == toset([for subnet in aws_subnet.public : subnet.id])
    error_message = "Without NAT the instances stand in the public subnets."
  }
  assert {
    condition     = toset(aws_launch_template.app.network_interfaces[0].security_groups) == toset([aws_security_group.this["app"].id])
    error_message = "Even there they admit the load balancer alone."
  }
  assert {
    condition     = toset(aws_db_subnet_group.this.subnet_ids) == toset([for subnet in aws_subnet.data : subnet.id]) && toset(aws_elasticache_subnet_group.this.subnet_ids) == toset([for subnet in aws_subnet.data : subnet.id])
    error_message = "Database and cache stand in the data tier."
  }
  assert {
    condition     = length(aws_lb_listener.https) == 0 && aws_lb_listener.http.default_action[0].type == "forward" && [for rule in aws_vpc_security_group_ingress_rule.public : rule.from_port] == [80]
    error_message = "Without a domain: plain HTTP, and only that port is open."
  }
  assert {
    condition     = !aws_db_instance.this.multi_az && aws_elasticache_replication_group.this.num_cache_clusters == 1 && length(aws_flow_log.this) == 0 && aws_autoscaling_group.app.min_size == 1
    error_message = "One of each is enough for a demo."
  }
}

run "demo_with_a_domain" {
  variables {
    domain          = "slow.example.com"
    route53_zone_id = "Z0123456789ABCDEFGHIJ"
  }
  assert {
    condition     = length(aws_lb_listener.https) == 1 && aws_lb_listener.http.default_action[0].type == "redirect"
    error_message = "With a domain the demo speaks HTTPS too."
  }
}

run "single" {
  variables {
    nat = "single"
  }
  assert {
    condition     = keys(aws_nat_gateway.zonal) == ["eu-central-1a"] && alltrue([for route in aws_route.app : route.nat_gateway_id == aws_nat_gateway.zonal["eu-central-1a"].id]) && length(aws_route.app) == 2
    error_message = "One NAT for all zones."
  }
  assert {
    condition     = tobool(aws_launch_template.app.network_interfaces[0].associate_public_ip_address) == false
    error_message = "With NAT no instance has a public address."
  }
}

run "per_az" {
  variables {
    nat = "per_az"
  }
  assert {
    condition     = length(aws_nat_gateway.zonal) == 2 && alltrue([for zone, route in aws_route.app : route.nat_gateway_id == aws_nat_gateway.zonal[zone].id])
    error_message = "A NAT for each zone."
  }
}

run "regional" {
  variables {
    nat = "regional"
  }
  assert {
    condition     = length(aws_nat_gateway.zonal) == 0 && aws_nat_gateway.regional[0].availability_mode == "regional" && aws_nat_gateway.regional[0].vpc_id == aws_vpc.this.id && alltrue([for route in aws_route.app : route.nat_gateway_id == aws_nat_gateway.regional[0].id])
    error_message = "One NAT that spans the zones."
  }
}

run "chosen_zones" {
  variables {
    availability_zones = ["eu-central-1c", "eu-central-1a"]
    vpc_cidr           = "10.20.0.0/16"
  }
  assert {
    condition     = aws_subnet.public["eu-central-1c"].cidr_block == "10.20.0.0/24" && aws_subnet.public["eu-central-1a"].cidr_block == "10.20.1.0/24"
    error_message = "Zones that are given are used, in that order."
  }
}
