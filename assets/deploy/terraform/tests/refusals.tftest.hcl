# What is refused before anything is made. The messages say what to give.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  binary_path = "tests/programs/arm64"
}

run "production_without_a_domain" {
  command = plan
  variables {
    profile = "production"
  }
  expect_failures = [var.domain]
}

run "a_domain_without_a_certificate" {
  command = plan
  variables {
    domain = "slow.example.com"
  }
  expect_failures = [var.domain]
}

run "a_domain_that_is_an_address" {
  command = plan
  variables {
    domain          = "https://slow.example.com/"
    route53_zone_id = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "a_zone_without_a_domain" {
  command = plan
  variables {
    route53_zone_id = "Z0123456789ABCDEFGHIJ"
  }
  expect_failures = [var.domain]
}

run "a_certificate_without_a_domain" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/given"
  }
  expect_failures = [var.domain]
}

run "an_unknown_profile" {
  command = plan
  variables {
    profile = "staging"
  }
  expect_failures = [var.profile]
}

run "a_program_that_is_not_there" {
  command = plan
  variables {
    binary_path = "tests/programs/none"
  }
  expect_failures = [var.binary_path]
}

run "a_program_of_another_architecture" {
  command = plan
  variables {
    binary_path = "tests/programs/x86_64"
  }
  expect_failures = [var.binary_path]
}

run "a_program_that_is_none" {
  command = plan
  variables {
    binary_path = "README.md"
  }
  expect_failures = [var.binary_path]
}

run "an_unknown_architecture" {
  command = plan
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "an_unknown_nat" {
  command = plan
  variables {
    nat = "two"
  }
  expect_failures = [var.nat]
}

run "a_name_that_aws_refuses" {
  command = plan
  variables {
    name = "Unslow!"
  }
  expect_failures = [var.name]
}

run "a_small_network" {
  command = plan
  variables {
    vpc_cidr = "10.0.0.0/24"
  }
  expect_failures = [var.vpc_cidr]
}

run "one_zone" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "nobody_may_connect" {
  command = plan
  variables {
    allowed_cidrs = []
  }
  expect_failures = [var.allowed_cidrs]
}

run "numbers_for_everybody" {
  command = plan
  variables {
    stats_allow = ["0.0.0.0/0"]
  }
  expect_failures = [var.stats_allow]
}

run "instances_upside_down" {
  command = plan
  variables {
    instances = { min = 3, max = 2 }
  }
  expect_failures = [var.instances]
}

run "a_type_that_is_none" {
  command = plan
  variables {
    instance_type = "small"
  }
  expect_failures = [var.instance_type]
}

run "an_image_that_is_none" {
  command = plan
  variables {
    ami_id = "al2023"
  }
  expect_failures = [var.ami_id]
}

run "a_database_class_that_is_none" {
  command = plan
  variables {
    database_instance_class = "t4g.micro"
  }
  expect_failures = [var.database_instance_class]
}

run "a_node_type_that_is_none" {
  command = plan
  variables {
    cache_node_type = "t4g.micro"
  }
  expect_failures = [var.cache_node_type]
}

run "a_database_name_with_a_quote" {
  command = plan
  variables {
    database_name = "a'b"
  }
  expect_failures = [var.database_name]
}

run "a_schema_with_a_quote" {
  command = plan
  variables {
    database_schemas = ["a'b"]
  }
  expect_failures = [var.database_schemas]
}

run "half_a_password" {
  command = plan
  variables {
    password_version = 1.5
  }
  expect_failures = [var.password_version]
}

run "queries_from_nowhere" {
  command = plan
  variables {
    queries_dir = "tests/none"
  }
  expect_failures = [var.queries_dir]
}

run "a_web_acl_that_is_none" {
  command = plan
  variables {
    web_acl_arn = "acl"
  }
  expect_failures = [var.web_acl_arn]
}

run "a_zone_id_that_is_a_name" {
  command = plan
  variables {
    domain          = "slow.example.com"
    route53_zone_id = "example.com"
  }
  expect_failures = [var.route53_zone_id]
}

run "a_certificate_that_is_none" {
  command = plan
  variables {
    domain          = "slow.example.com"
    certificate_arn = "slow.example.com"
  }
  expect_failures = [var.certificate_arn]
}
